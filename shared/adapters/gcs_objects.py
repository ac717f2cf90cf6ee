"""The Objects in Cloud Storage: its synchronous client in threads, loaded with the first use.

Neither a cold start nor a first request pays for the client library: hardly any message is so
large that it needs a bucket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from shared.adapters.gcs_calls import GcsCalls

PATIENCE = 15.0  # seconds in which a call that failed is tried again
_T = TypeVar("_T")


class GcsObjects:
    """Implements `Objects`. STORAGE_EMULATOR_HOST is honoured.

    `patience` bounds the retries of one call, in seconds. A thread that nobody waits for any more
    goes on until then; what it does is harmless.
    """

    def __init__(self, project: str, *, patience: float = PATIENCE) -> None:
        self._project = project
        self._patience = patience
        self._calls: GcsCalls | None = None
        self._lock = Lock()

    async def put(self, bucket: str, name: str, data: bytes) -> None:
        await self._threaded(lambda calls: calls.put(bucket, name, data))

    async def get(self, bucket: str, name: str) -> bytes | None:
        return await self._threaded(lambda calls: calls.get(bucket, name))

    async def delete(self, bucket: str, name: str) -> None:
        await self._threaded(lambda calls: calls.delete(bucket, name))

    async def aclose(self) -> None:
        """Closes its connections, where there are any."""
        if self._calls is not None:
            await asyncio.to_thread(self._calls.close)

    async def _threaded(self, call: Callable[[GcsCalls], _T]) -> _T:
        return await asyncio.to_thread(lambda: call(self._loaded()))

    def _loaded(self) -> GcsCalls:
        """Imports the library and builds the client, once; looking for credentials takes time."""
        with self._lock:
            if self._calls is None:
                from shared.adapters.gcs_calls import GcsCalls  # noqa: PLC0415 - see the module

                self._calls = GcsCalls(self._project, self._patience)
            return self._calls
