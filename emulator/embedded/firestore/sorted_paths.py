"""Document paths kept in Firestore's name order. Must not know documents."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from emulator.embedded.firestore.values import keys_below, name_key


class SortedPaths:
    """A sorted set of paths; adding and discarding cost a bisection and a move of memory."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths: list[str] = sorted(paths, key=name_key)
        self._keys = [name_key(path) for path in self.paths]

    def add(self, path: str) -> None:
        """`path` must not be there yet."""
        key = name_key(path)
        place = bisect_left(self._keys, key)
        self._keys.insert(place, key)
        self.paths.insert(place, path)

    def discard(self, path: str) -> None:
        """`path` must be there."""
        place = bisect_left(self._keys, name_key(path))
        del self._keys[place], self.paths[place]

    def below(self, parent: str) -> list[str]:
        """A copy of the part that lies below the document `parent`; of all for ""."""
        if not parent:
            return list(self.paths)
        first, end = keys_below(parent)
        return self.paths[bisect_left(self._keys, first) : bisect_left(self._keys, end)]
