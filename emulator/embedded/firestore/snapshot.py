"""The documents as they were at one moment, however they change afterwards.

Costs nothing to take: it notes what changes later. Must not know commits or transactions.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from emulator.embedded.firestore.paths import collection_id, collection_of, is_below
from emulator.embedded.firestore.values import name_key

if TYPE_CHECKING:
    from emulator.embedded.firestore.documents import Documents
    from emulator.embedded.firestore.model import Document


class Snapshot:
    """Reads like `Documents`. It follows the live documents until nobody refers to it."""

    def __init__(self, live: Documents) -> None:
        self._live = live
        self._earlier: dict[str, Document | None] = {}
        follower = weakref.finalize(self, live.subscribe(_keeper(self._earlier)))
        follower.atexit = False

    def get(self, path: str) -> Document | None:
        if path in self._earlier:
            return self._earlier[path]
        return self._live.get(path)

    def collection(self, path: str) -> Sequence[str]:
        """As `Documents.collection`."""
        return self._then(self._live.collection(path), lambda one: collection_of(one) == path)

    def in_group(self, group: str | None, under: str = "") -> Iterator[Document]:
        """As `Documents.in_group`."""

        def member(path: str) -> bool:
            return group in {None, collection_id(path)} and is_below(path, under)

        live = [document.path for document in self._live.in_group(group, under)]
        for path in self._then(live, member):
            document = self.get(path)
            if document is not None:
                yield document

    def _then(self, live: Sequence[str], member: Callable[[str], bool]) -> Sequence[str]:
        changed = [path for path in self._earlier if member(path)]
        if not changed:
            return live
        return sorted(self._existing({*live, *changed}), key=name_key)

    def _existing(self, paths: Iterable[str]) -> Iterator[str]:
        return (path for path in paths if self.get(path) is not None)


def _keeper(
    earlier: dict[str, Document | None],
) -> Callable[[Document | None, Document | None], None]:
    def keep(before: Document | None, after: Document | None) -> None:
        one = before or after
        if one is not None:
            earlier.setdefault(one.path, before)

    return keep
