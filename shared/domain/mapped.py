"""What a mapped step runs over, as its record keeps it, and in which order its items are sent.

Pure; knows no statuses.
"""

from __future__ import annotations

from bisect import bisect_left

from pydantic import Field

from shared.domain.model import Json, Wire


class ItemError(Wire):
    """Why an item of a mapped step has failed."""

    index: int
    code: str
    message: str


class Mapped(Wire):
    """What a mapped step runs over.

    values: its items, as long as some have not ended. rest: the items that a redrive has left to
    do, in order; None means all. failed: how many have failed for good; `errors` tell of the
    first of them.
    """

    size: int
    values: list[Json] | None = None
    rest: list[int] | None = None
    failed: int = 0
    errors: list[ItemError] = Field(default_factory=list)

    def first(self, count: int) -> list[int]:
        """The items to begin with, so many at once."""
        return list(range(self.size))[:count] if self.rest is None else self.rest[:count]

    def after(self, index: int, count: int) -> int | None:
        """The item that is sent when this one has ended, with so many at once: by stride."""
        if self.rest is None:
            return index + count if index + count < self.size else None
        at = bisect_left(self.rest, index)
        if at == len(self.rest) or self.rest[at] != index or at + count >= len(self.rest):
            return None
        return self.rest[at + count]
