"""Sends spans to an OTLP/HTTP collector, to Google's own with Google's credentials.

Reads the standard OTEL_EXPORTER_OTLP_* variables (headers, compression, certificates) through the
exporter. Knows nothing of stages; decides only whether what was not taken is worth another try.
Source: https://docs.cloud.google.com/trace/docs/migrate-to-otlp-endpoints
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import google.auth
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan
from requests import Response, Session

_GOOGLE = ".googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_BUSY = frozenset({408, 425, 429})  # beside 5xx: later, the same request may be taken


@dataclass(frozen=True)
class Sent:
    """What became of spans. `problem` is None where the collector has them all.

    `again`: it has none of them and may take them later; `lost` are those that it never will.
    """

    problem: str | None = None
    again: bool = False
    lost: int = 0


class OtlpCollector:
    """`send` blocks, and is called by one thread at a time."""

    def __init__(self, endpoint: str, *, seconds: float) -> None:
        """`endpoint` is the whole URL; a request and its retries may take `seconds`."""
        self._endpoint = endpoint
        self._seconds = seconds
        self._exporter: OTLPSpanExporter | None = None
        self._answer: Response | None = None  # the latest to this request
        # It tells every failure in lines of its own, with addresses; ours is told by the caller.
        logging.getLogger(trace_exporter.__name__).setLevel(logging.CRITICAL)

    @property
    def host(self) -> str:
        """Where it is, without what a URL may hold of secrets."""
        return urlsplit(self._endpoint).hostname or ""

    def send(self, spans: Sequence[ReadableSpan]) -> Sent:
        """Exports the spans. Builds its session the first time: that may ask for credentials."""
        self._answer = None
        try:
            if self._exporter is None:
                self._exporter = self._build()
            self._exporter.export(spans)
        except GoogleAuthError as error:
            return Sent(f"no credentials ({type(error).__name__})", again=True)
        return self._read(self._answer, len(spans))

    def _read(self, answer: Response | None, count: int) -> Sent:
        """The answer rather than the exporter's word, which takes a redirection for a success."""
        if answer is None:
            token = " or no access token" if _is_google(self._endpoint) else ""
            return Sent(f"no answer{token}", again=True)
        if answer.status_code < 300:
            refused = _refused(answer)
            return Sent(f"it refused {refused} of {count}", lost=refused) if refused else Sent()
        if answer.status_code >= 500 or answer.status_code in _BUSY:
            return Sent(f"it answered {answer.status_code}", again=True)
        return Sent(f"it answered {answer.status_code}", lost=count)

    def close(self) -> None:
        """Closes its connections."""
        if self._exporter is not None:
            self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _build(self) -> OTLPSpanExporter:
        session = _google_session() if _is_google(self._endpoint) else Session()
        session.hooks["response"].append(self._note)
        return OTLPSpanExporter(self._endpoint, timeout=self._seconds, session=session)

    def _note(self, response: Response, *_: Any, **__: Any) -> None:
        self._answer = response


def _refused(answer: Response) -> int:
    """How many spans a collector that took the others did not: OTLP 1.5, partial success."""
    try:
        told = ExportTraceServiceResponse.FromString(answer.content)  # type: ignore[no-untyped-call]
    except DecodeError:
        return 0  # some answer in words
    return int(told.partial_success.rejected_spans)


def _is_google(endpoint: str) -> bool:
    """Credentials are sent to Google alone, and never in the clear."""
    parts = urlsplit(endpoint)
    return parts.scheme == "https" and (parts.hostname or "").endswith(_GOOGLE)


def _google_session() -> Session:
    """Names the quota project where the credentials have one (GOOGLE_CLOUD_QUOTA_PROJECT)."""
    credentials, _ = google.auth.default(scopes=[_SCOPE])
    session: Session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    return session
