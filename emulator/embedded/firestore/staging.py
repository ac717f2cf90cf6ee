"""A commit in the making: its writes one after the other, of which nothing is stored yet.

Decides what the writes of one commit on the same document see of each other. Must not know how
documents are kept or who watches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from emulator.embedded.firestore.model import Change, Delete, Document, Write, Written
from emulator.embedded.firestore.sizes import check_document_size
from emulator.embedded.firestore.transforms import MAX_TRANSFORMS
from emulator.embedded.firestore.values import Value
from emulator.embedded.firestore.writes import (
    check_precondition,
    check_version,
    transforms_of,
    written,
)
from emulator.embedded.refusal import invalid

_DELETE = "delete"
_VERBS = {None: "upsert", False: "insert", True: "update"}


class Staging:
    """`get` reads what is stored, `root` starts all names, `at` is the time of the commit."""

    def __init__(self, get: Callable[[str], Document | None], root: str, at: int) -> None:
        self._get = get
        self._root = root
        self._at = at
        self._stored: dict[str, Document | None] = {}
        self._staged: dict[str, Document | None] = {}
        self._transforms: Counter[str] = Counter()
        self._results: list[tuple[str, tuple[Value, ...]]] = []

    def apply(self, write: Write) -> None:
        """Raises Refusal; the commit is over then."""
        path = write.path
        if path not in self._staged:
            self._stored[path] = self._staged[path] = self._get(path)
            check_precondition(write.precondition, self._root + path, self._stored[path])
        elif write.precondition.updated_at is not None:
            # An update time always speaks of the document as it was before the commit.
            check_version(write.precondition.updated_at, self._stored[path])
        self._check_transforms(write)
        before = self._staged[path]
        after, results = written(write, before, self._at)
        if after is not None and after is not before:
            check_document_size(self._root, path, after.fields)
        self._staged[path] = after
        self._results.append((path, results))

    def results(self) -> tuple[Written, ...]:
        """One a write. All writes on a document tell its update time after the last of them."""
        return tuple(
            Written(None if (document := self._staged[path]) is None else document.updated_at, told)
            for path, told in self._results
        )

    def changes(self) -> list[Change]:
        """Of each document that is not as it was, in the order of their first writes."""
        return [
            Change(path, before, after)
            for path, after in self._staged.items()
            if (before := self._stored[path]) is not after
        ]

    def _check_transforms(self, write: Write) -> None:
        count = len(transforms_of(write))
        if count:
            self._transforms[write.path] += count
            if self._transforms[write.path] > MAX_TRANSFORMS:
                raise invalid(
                    f"Cannot apply more than {MAX_TRANSFORMS} field transformations to a document "
                    f"in one commit: {self._root}{write.path}"
                )


def check_sequence(writes: Sequence[Write]) -> None:
    """Raises INVALID_ARGUMENT where an earlier write rules out what a later one requires.

    It is seen without looking at what is stored, and so comes before all that depends on it.
    """
    verbs: dict[str, str] = {}
    for write in writes:
        earlier, now = verbs.get(write.path), _verb(write)
        required = write.precondition.exists
        if earlier is not None and required is not None and required != (earlier != _DELETE):
            raise invalid(f"Cannot {earlier} then {now} an entity in the same request.")
        if now == _DELETE or earlier in {None, _DELETE}:
            verbs[write.path] = now


def _verb(write: Write) -> str:
    return _DELETE if isinstance(write, Delete) else _VERBS[write.precondition.exists]
