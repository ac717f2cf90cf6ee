"""Cloud Storage's client, synchronous: three calls, bounded, with errors of our own.

Decides what the service's answers mean. Must not know what the objects are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.api_core import exceptions as google
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage import Client
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY

from shared.errors import ObjectsUnavailableError

_ATTEMPT = (3.0, 10.0)  # seconds to connect, and between two pieces of an answer
_TYPE = "application/octet-stream"
# Replacing an object takes this right beside that to create one; no stage that puts has it:
# https://docs.cloud.google.com/storage/docs/access-control/iam-json
_REPLACING = "storage.objects.delete"
_NO_BUCKET = "bucket does not exist"
_UPLOAD_ID = re.compile(r"upload_id=[^&\s]+")  # whoever has it may go on with the upload
_FAILURES = (
    google.GoogleAPIError,
    GoogleAuthError,
    DataCorruption,
    InvalidResponse,
    OSError,  # among them those of connections
)


class GcsCalls:
    """One client for all threads, which its library allows. Raises ObjectsUnavailableError.

    `patience` bounds the retries of a call, in seconds. The client sends and checks CRC32C sums.
    """

    def __init__(self, project: str, patience: float) -> None:
        # Else the client asks in the background what each bucket is, for spans that nobody wants;
        # no stage has the right to know.
        os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        with _told("the client"):
            self._client: Any = Client(project=project)  # type: ignore[no-untyped-call]
        self._retry = DEFAULT_RETRY.with_delay(0.2, 2.0).with_timeout(patience)

    def put(self, bucket: str, name: str, data: bytes) -> None:
        blob = self._client.bucket(bucket).blob(name)
        with _told(f"gs://{bucket}/{name}"):
            try:
                # Created or refused, never replaced: so each try may be repeated.
                blob.upload_from_string(
                    data, _TYPE, if_generation_match=0, timeout=_ATTEMPT, retry=self._retry
                )
            except google.PreconditionFailed:
                return
            except google.Forbidden as error:
                if not _is_there(error):
                    raise

    def get(self, bucket: str, name: str) -> bytes | None:
        blob = self._client.bucket(bucket).blob(name)
        with _told(f"gs://{bucket}/{name}"):
            try:
                data: bytes = blob.download_as_bytes(timeout=_ATTEMPT, retry=self._retry)
            except google.NotFound as error:
                if _NO_BUCKET in str(error):
                    raise
                return None
            return data

    def delete(self, bucket: str, name: str) -> None:
        blob = self._client.bucket(bucket).blob(name)
        with _told(f"gs://{bucket}/{name}"):
            try:
                blob.delete(timeout=_ATTEMPT, retry=self._retry)
            except google.NotFound:  # a bucket that is gone has taken its objects along
                return

    def close(self) -> None:
        self._client.close()


def _is_there(refusal: google.Forbidden) -> bool:
    """Whether an upload was refused because it would have replaced an object.

    The client itself deletes what it finds damaged after its upload; that is refused alike.
    """
    return _REPLACING in str(refusal) and not isinstance(refusal.__context__, DataCorruption)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        told = _UPLOAD_ID.sub("upload_id=…", f"{what}: {type(error).__name__}: {error}")
        raise ObjectsUnavailableError(told[:500]) from error
