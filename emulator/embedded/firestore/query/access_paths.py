"""The ways to reach the documents that can meet a conjunction of filters, and what each costs.

Must not know which way is taken.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from emulator.embedded.firestore.documents import Documents
from emulator.embedded.firestore.model import NAME, FieldFilter, FieldPath, Operator, Query
from emulator.embedded.firestore.paths import collection_id, collection_of
from emulator.embedded.firestore.query.cursors import Window
from emulator.embedded.firestore.query.field_index import FieldIndex, FieldIndexes, Scope
from emulator.embedded.firestore.query.filters import EQUALITIES, INEQUALITIES
from emulator.embedded.firestore.query.normal_form import Conjunction
from emulator.embedded.firestore.query.sort_keys import (
    EVERYTHING,
    KeyRange,
    equals_nothing,
    operand_key,
    range_of,
)
from emulator.embedded.firestore.values import NULL, NUMBER, OrderKey, path_key

if TYPE_CHECKING:
    from emulator.embedded.firestore.documents import View

# Fewer documents than this are looked at one by one: an index for each of thousands of small
# subcollections would cost more than it saves.
SMALL_COLLECTION = 64
_UNKNOWN_SIZE = 1 << 40

Paths = Callable[[bool], Iterator[str]]  # of the documents; whether from the last to the first


@dataclass(frozen=True, slots=True)
class Access:
    """`size` documents at most, in the order of `field`, then the name."""

    size: int
    field: FieldPath
    paths: Paths
    complete: bool = False  # it reaches everything in scope


@dataclass(frozen=True, slots=True)
class Source:
    """Where a query reads; without indexes, everything in scope is looked at."""

    query: Query
    view: View
    indexes: FieldIndexes | None

    def size(self) -> int:
        """How many documents a walk through collections of any parent may look at."""
        return len(self.view) if isinstance(self.view, Documents) else _UNKNOWN_SIZE

    def scope(self) -> Scope:
        """The collection or group the query names."""
        query = self.query
        if query.descendants:
            return Scope(query.collection or "", group=True)
        return Scope(collection_path(query), group=False)


def collection_path(query: Query) -> str:
    """Of a query of one collection."""
    return f"{query.parent}/{query.collection}" if query.parent else str(query.collection)


def in_scope(query: Query, path: str) -> bool:
    """Whether a document at that path is in the collection or collections of the query."""
    if query.collection is not None and collection_id(path) != query.collection:
        return False
    if query.descendants:
        return not query.parent or path.startswith(query.parent + "/")
    return collection_of(path).rpartition("/")[0] == query.parent


def ways(source: Source, wanted: Conjunction, within: Window) -> list[Access]:
    """All ways, the walk through everything in scope last. Documents still have to be tested."""
    named = [one for one in wanted if one.field == NAME and one.operator is Operator.EQUAL]
    if named:
        return [_by_name(source.query, named[0])]
    walk = _walk(source, wanted, within)
    indexes = source.indexes
    if indexes is None or source.query.collection is None or walk.size <= SMALL_COLLECTION:
        return [walk]
    scope = source.scope()
    found = [_by_filter(indexes, scope, one) for one in wanted if _is_point(one)]
    for field in _ranged(wanted, within):
        allowed = _allowed(field, wanted, within)
        index = indexes.by_value(scope, field)
        found.append(_slice(index, index.within(allowed), field))
    return [*found, walk]


def _by_name(query: Query, one: FieldFilter) -> Access:
    path = one.value.path
    found = [path] if in_scope(query, path) else []
    return Access(len(found), NAME, lambda _: iter(found))


def _is_point(one: FieldFilter) -> bool:
    return one.operator in EQUALITIES or one.operator is Operator.ARRAY_CONTAINS


def _by_filter(indexes: FieldIndexes, scope: Scope, one: FieldFilter) -> Access:
    if one.operator is Operator.ARRAY_CONTAINS:
        index = indexes.by_element(scope, one.field)
    else:
        index = indexes.by_value(scope, one.field)
    key = _point(one)
    return _slice(index, range(0) if key is None else index.equal(key), NAME)


def _point(one: FieldFilter) -> OrderKey | None:
    if one.operator is Operator.IS_NULL:
        return (NULL,)
    if one.operator is Operator.IS_NAN:
        return NUMBER, 0
    return None if equals_nothing(one.value) else operand_key(one.field, one.value)


def _ranged(wanted: Conjunction, within: Window) -> list[FieldPath]:
    points = {one.field for one in wanted if one.operator in EQUALITIES}
    ranged = [one.field for one in wanted if one.operator in INEQUALITIES]
    leading = [one.field for one in within.order if one.field not in points][:1]
    return [field for field in dict.fromkeys((*ranged, *leading)) if field != NAME]


def _allowed(field: FieldPath, wanted: Conjunction, within: Window) -> KeyRange:
    ranges = [range_of(o) for o in wanted if o.field == field and o.operator in INEQUALITIES]
    if within.order[0].field == field:
        ranges.append(within.first_field())
    return reduce(and_, ranges, EVERYTHING)


def _slice(index: FieldIndex, places: range, field: FieldPath) -> Access:
    def paths(backwards: bool) -> Iterator[str]:  # noqa: FBT001  # the one argument of `Paths`
        return index.paths(places[::-1] if backwards else places)

    return Access(len(places), field, paths)


def _walk(source: Source, wanted: Conjunction, within: Window) -> Access:
    query = source.query
    allowed = _allowed(NAME, wanted, within)
    if query.descendants or query.collection is None:
        return _walk_subtree(source, allowed)
    names = source.view.collection(collection_path(query))
    places = _named_within(names, allowed)

    def paths(backwards: bool) -> Iterator[str]:  # noqa: FBT001  # the one argument of `Paths`
        return (names[at] for at in (places[::-1] if backwards else places))

    return Access(len(places), NAME, paths, complete=len(places) == len(names))


def _named_within(names: Sequence[str], allowed: KeyRange) -> range:
    start, stop = 0, len(names)
    if allowed.low is not None:
        start = bisect_left(names, allowed.low, key=path_key)
    if allowed.high is not None:
        stop = bisect_right(names, allowed.high, key=path_key)
    return range(start, max(start, stop))


def _walk_subtree(source: Source, allowed: KeyRange) -> Access:
    query = source.query

    def paths(backwards: bool) -> Iterator[str]:  # noqa: FBT001  # the one argument of `Paths`
        found = [one.path for one in source.view.in_group(query.collection, query.parent)]
        if not query.descendants:
            found = [path for path in found if in_scope(query, path)]
        places = _named_within(found, allowed)
        return (found[at] for at in (places[::-1] if backwards else places))

    return Access(source.size(), NAME, paths, complete=allowed == EVERYTHING)
