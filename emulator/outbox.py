"""Keeps every mail, Slack message and HTTP call that was sent: one JSON file per item.

Decides what is a duplicate (same kind, same key). Must not know how an item arrived.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Item = dict[str, Any]
OnItem = Callable[[Item], None]


class Outbox:
    """The items in `directory`, in order of arrival; what is already there is taken over."""

    def __init__(self, directory: Path, on_item: OnItem | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._on_item = on_item
        self._items = [
            json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(directory.glob("*.json"))
        ]
        self._first: dict[tuple[str, str], str] = {}
        for item in self._items:
            self._first_with(item["kind"], item["key"], item["id"])
        self._next = 1 + max((int(item["id"].split("-")[0]) for item in self._items), default=0)

    def record(self, kind: str, key: str | None, **facts: Any) -> Item:
        """Store one item. A key seen before does not drop the item: it is marked as a duplicate."""
        own_id = f"{self._next:06d}-{kind}"
        first_id = self._first_with(kind, key, own_id)
        item: Item = {
            "id": own_id,
            "kind": kind,
            "received_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "key": key,
            "duplicate_of": None if first_id == own_id else first_id,
            **facts,
        }
        self._next += 1
        self._items.append(item)
        self._write(item)
        if self._on_item is not None:
            self._on_item(item)
        return item

    def items(self) -> list[Item]:
        """Return all items, newest last."""
        return list(self._items)

    def clear(self) -> int:
        """Delete all items and return how many there were."""
        count = len(self._items)
        for item in self._items:
            self._path(item).unlink(missing_ok=True)
        self._items.clear()
        self._first.clear()
        return count

    def _first_with(self, kind: str, key: str | None, own_id: str) -> str:
        return own_id if key is None else self._first.setdefault((kind, key), own_id)

    def _path(self, item: Item) -> Path:
        return self.directory / f"{item['id']}.json"

    def _write(self, item: Item) -> None:
        # Renamed into place: whoever watches the directory never reads half a file.
        path = self._path(item)
        half = path.with_suffix(".part")
        half.write_text(json.dumps(item, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        half.replace(path)
