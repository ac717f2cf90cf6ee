"""Documents that an instance keeps for a few seconds, so that not every call reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.ports import Document, Store

FOR = timedelta(seconds=5)


@dataclass
class Kept:
    """What an instance has read, and when; what is older is forgotten."""

    _read: dict[str, tuple[datetime, Document | None]] = field(default_factory=dict)

    async def get(self, store: Store, path: str, now: datetime) -> Document | None:
        """The document as it was at most five seconds ago."""
        known = self._read.get(path)
        if known is None or now - known[0] >= FOR:
            known = (now, await store.get(path))
            fresh = {name: one for name, one in self._read.items() if now - one[0] < FOR}
            self._read = {**fresh, path: known}
        return known[1]

    def forget(self, path: str) -> None:
        """It has changed."""
        self._read.pop(path, None)
