"""Buckets in memory; `tests/contract` holds them and Cloud Storage's adapter to one suite."""

from __future__ import annotations

import asyncio
from collections import Counter


class MemoryObjects:
    """Implements `Objects`; every bucket exists. `content` is by (bucket, name).

    `calls` counts by method; `errors` are raised first, one a call.
    """

    def __init__(self) -> None:
        self.content: dict[tuple[str, str], bytes] = {}
        self.calls: Counter[str] = Counter()
        self.errors: list[Exception] = []

    async def put(self, bucket: str, name: str, data: bytes) -> None:
        await self._called("put")
        self.content.setdefault((bucket, name), data)

    async def get(self, bucket: str, name: str) -> bytes | None:
        await self._called("get")
        return self.content.get((bucket, name))

    async def delete(self, bucket: str, name: str) -> None:
        await self._called("delete")
        self.content.pop((bucket, name), None)

    async def _called(self, method: str) -> None:
        await asyncio.sleep(0)  # like any call to a server, it lets others go first
        self.calls[method] += 1
        if self.errors:
            raise self.errors.pop(0)
