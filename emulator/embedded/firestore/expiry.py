"""Which documents have outlived the time in their TTL field, and when the next one will.

Source: https://firebase.google.com/docs/firestore/ttl. Must not know how documents are deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush

from emulator.embedded.firestore.documents import Documents
from emulator.embedded.firestore.model import Document
from emulator.embedded.firestore.nested import value_at
from emulator.embedded.firestore.paths import collection_id, parse_field_path
from emulator.embedded.firestore.values import Timestamp

_SLACK = 64  # entries that are out of date before it pays to build the heap anew


class Expiry:
    """Follows the documents. `ttl_field` has the field path by collection group.

    A field that is missing or no timestamp never expires.
    """

    def __init__(self, documents: Documents, ttl_field: Mapping[str, str]) -> None:
        self._paths = {group: parse_field_path(path) for group, path in ttl_field.items()}
        self._at: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        if self._paths:
            documents.subscribe(self._follow)

    def take_due(self, now: int) -> list[str]:
        """The paths of documents that expire at `now` or earlier, the earliest first.

        They are told once: the caller deletes them.
        """
        due: dict[str, None] = {}
        while (at := self.next()) is not None and at <= now:
            due[heappop(self._heap)[1]] = None
        return list(due)

    def next(self) -> int | None:
        """When the first document expires, None where none ever does."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _follow(self, before: Document | None, after: Document | None) -> None:
        one = after or before
        if one is None or collection_id(one.path) not in self._paths:
            return
        at = self._expires_at(after)
        if at == self._at.get(one.path):
            return
        if at is None:
            del self._at[one.path]
            return
        self._at[one.path] = at
        heappush(self._heap, (at, one.path))
        if len(self._heap) > 2 * len(self._at) + _SLACK:
            self._heap = [(at, path) for path, at in self._at.items()]
            heapify(self._heap)

    def _expires_at(self, document: Document | None) -> int | None:
        if document is None:
            return None
        value = value_at(document.fields, self._paths[collection_id(document.path)])
        return value.micros if isinstance(value, Timestamp) else None
