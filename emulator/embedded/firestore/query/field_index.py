"""Sorted entries of one field over a collection or a collection group, built when first needed.

They follow the documents from then on, so that a query looks at what it finds and no more. Must
not know queries.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from emulator.embedded.firestore.model import Document, FieldPath
from emulator.embedded.firestore.nested import MISSING, value_at
from emulator.embedded.firestore.paths import collection_id, collection_of
from emulator.embedded.firestore.query.sort_keys import field_key
from emulator.embedded.firestore.values import OrderKey, order_key, path_key

if TYPE_CHECKING:
    from emulator.embedded.firestore.documents import Documents
    from emulator.embedded.firestore.query.sort_keys import KeyRange

Entry: TypeAlias = tuple[OrderKey, OrderKey, str]  # the value's key, the name's key, the path
Keys: TypeAlias = Callable[[Document], set[OrderKey]]
_Field: TypeAlias = tuple[FieldPath, bool]  # whether it is indexed by its elements
K = TypeVar("K")
V = TypeVar("V")

# Every write updates the indexes of its collection: queries on fields whose names are made up, such
# as ids in a map, must not add to that without end, nor must collections that come and go.
MOST_FIELDS = 100
MOST_SCOPES = 1_000


class Scope(NamedTuple):
    """A collection by its path, or all collections with an id."""

    collection: str
    group: bool


class FieldIndex:
    """Entries sorted by value, then name."""

    def __init__(self, keys: Keys, documents: Iterable[Document]) -> None:
        self._keys = keys
        self._entries: list[Entry] = sorted(
            (key, path_key(document.path), document.path)
            for document in documents
            for key in keys(document)
        )

    def change(self, before: Document | None, after: Document | None) -> None:
        """Follow what happened to one document; None on the side where it does not exist."""
        old = set() if before is None else self._keys(before)
        new = set() if after is None else self._keys(after)
        if old == new:
            return
        path = (before or after).path  # type: ignore[union-attr]  # one of the two exists
        name = path_key(path)
        for key in old - new:
            del self._entries[bisect_left(self._entries, (key, name, path))]
        for key in new - old:
            insort(self._entries, (key, name, path))

    def equal(self, key: OrderKey) -> range:
        """The places of the entries with that key; within them, the order is by name."""
        return range(
            bisect_left(self._entries, key, key=_value),
            bisect_right(self._entries, key, key=_value),
        )

    def within(self, allowed: KeyRange) -> range:
        """The places of the entries whose keys are in the range."""
        start, stop = 0, len(self._entries)
        if allowed.low is not None:
            side = bisect_left if allowed.low_included else bisect_right
            start = side(self._entries, allowed.low, key=_value)
        if allowed.high is not None:
            side = bisect_right if allowed.high_included else bisect_left
            stop = side(self._entries, allowed.high, key=_value)
        return range(start, max(start, stop))

    def paths(self, places: range) -> Iterator[str]:
        """The documents at these places, in the order of the places."""
        return (self._entries[at][2] for at in places)


class FieldIndexes:
    """The indexes of one database's documents; those not used for longest are forgotten."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._scopes: dict[Scope, dict[_Field, FieldIndex]] = {}
        documents.subscribe(self._follow)

    def by_value(self, scope: Scope, field: FieldPath) -> FieldIndex:
        """The documents that have the field, by its value."""
        return self._find(scope, (field, False), _value_key(field))

    def by_element(self, scope: Scope, field: FieldPath) -> FieldIndex:
        """The documents with a list in the field, by each of its elements."""
        return self._find(scope, (field, True), _element_keys(field))

    def clear(self) -> None:
        """Forgets all; what is needed again is built again."""
        self._scopes.clear()

    def _find(self, scope: Scope, field: _Field, keys: Keys) -> FieldIndex:
        indexes = _latest(self._scopes, scope, dict, MOST_SCOPES)
        return _latest(indexes, field, lambda: FieldIndex(keys, self._members(scope)), MOST_FIELDS)

    def _members(self, scope: Scope) -> Iterator[Document]:
        if scope.group:
            return self._documents.in_group(scope.collection)
        found = map(self._documents.get, self._documents.collection(scope.collection))
        return (one for one in found if one is not None)

    def _follow(self, before: Document | None, after: Document | None) -> None:
        if not self._scopes:
            return
        path = (before or after).path  # type: ignore[union-attr]  # one of the two exists
        for scope in (Scope(collection_of(path), group=False), Scope(collection_id(path), True)):
            for index in self._scopes.get(scope, {}).values():
                index.change(before, after)


def _latest(kept: dict[K, V], key: K, make: Callable[[], V], most: int) -> V:
    """What is kept under the key, made if need be, as the last of at most `most`."""
    found = kept.pop(key) if key in kept else make()
    kept[key] = found
    if len(kept) > most:
        del kept[next(iter(kept))]
    return found


def _value(entry: Entry) -> OrderKey:
    return entry[0]


def _value_key(field: FieldPath) -> Keys:
    def keys(document: Document) -> set[OrderKey]:
        key = field_key(document, field)
        return set() if key is None else {key}

    return keys


def _element_keys(field: FieldPath) -> Keys:
    def keys(document: Document) -> set[OrderKey]:
        value = value_at(document.fields, field)
        if value is MISSING or not isinstance(value, list | tuple):
            return set()
        return {order_key(element) for element in value}

    return keys
