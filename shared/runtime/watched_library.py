"""The library of prompts and flows as a process sees it: read once or, locally, when it changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from shared.prompting.library import Library, read_library

_READ = frozenset({".yaml", ".j2", ".json"})


def library_reader(
    root: Path, *, reload: bool, calls: frozenset[str] | None = None
) -> Callable[[], Library]:
    """A function that gives the library; with `reload`, as the files are at that moment."""
    if not reload:
        library = read_library(root, calls)
        return lambda: library
    return _Watched(root, calls).read


class _Watched:
    def __init__(self, root: Path, calls: frozenset[str] | None) -> None:
        self._root = root
        self._calls = calls
        self._seen: object = None
        self._library: Library | None = None

    def read(self) -> Library:
        now = self._fingerprint()
        if self._library is None or now != self._seen:
            self._library = read_library(self._root, self._calls)
            self._seen = now
        return self._library

    def _fingerprint(self) -> frozenset[tuple[str, int, int]]:
        files = [path for path in self._root.rglob("*") if path.suffix in _READ]
        return frozenset(
            (str(path), status.st_mtime_ns, status.st_size)
            for path in files
            if (status := path.stat())
        )
