"""Finds a query's documents by the cheapest way, in order, and no more of them than needed.

The result is that of looking at every document in scope: filter, sort, cut. Must not know
protobuf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from emulator.embedded.firestore.model import NAME, Document, FieldPath, Order, Query
from emulator.embedded.firestore.query.access_paths import Access, Source, in_scope, ways
from emulator.embedded.firestore.query.cursors import Window, window
from emulator.embedded.firestore.query.filters import EQUALITIES, predicate
from emulator.embedded.firestore.query.normal_form import Conjunction, disjunctions
from emulator.embedded.firestore.query.ordering import Place, place, sort_places
from emulator.embedded.firestore.query.sort_keys import field_key

if TYPE_CHECKING:
    from emulator.embedded.firestore.documents import View
    from emulator.embedded.firestore.query.field_index import FieldIndexes

_SORTING = 2  # what it costs to sort a document too, in documents looked at

Found = tuple[Place, Document]


def matcher(query: Query) -> Callable[[Document], bool]:
    """What tells whether a document is in the result, but for offset, limit and FindNearest."""
    test, within = predicate(query.where), window(query)

    def matches(document: Document) -> bool:
        if not (in_scope(query, document.path) and test(document)):
            return False
        where = place(document, within.order)
        return where is not None and where in within

    return matches


def find(
    query: Query,
    view: View,
    indexes: FieldIndexes | None,
    *,
    present: Sequence[FieldPath] = (),
) -> list[Document]:
    """The result in order, from the first document the offset skips up to the limit.

    Documents that lack one of the `present` fields are left out. The query must be valid.
    """
    within = window(query)
    needed = None if query.limit is None else query.offset + query.limit
    source = Source(query, view, indexes)
    terms = disjunctions(query.where)
    chosen = [_cheapest(ways(source, term, within), term, within, needed) for term in terms]
    test = _whole_test(query, present)
    if len(chosen) == 1:
        access, backwards = chosen[0]
        if backwards is not None:
            found = _placed(_documents(view, access, backwards=backwards), test, within)
            return _until(found, within, needed)
    found = _placed(_union(view, [access for access, _ in chosen]), test, within)
    inside = [one for one in found if one[0] in within]
    return sort_places(inside, within.order)[:needed]


def _cheapest(
    found: list[Access], term: Conjunction, within: Window, needed: int | None
) -> tuple[Access, bool | None]:
    """Also: whether it is read backwards to be in order; None where it cannot be in order."""
    likely = min(access.size for access in found)
    bound = {one.field for one in term if one.operator in EQUALITIES}
    order = [one for one in within.order if one.field not in bound]

    def cost(one: tuple[Access, bool | None]) -> float:
        access, backwards = one
        if backwards is None:
            return access.size * _SORTING
        if needed is None:
            return access.size
        return min(access.size, needed * access.size / max(likely, 1))

    return min(((access, _direction(access, order)) for access in found), key=cost)


def _direction(access: Access, order: list[Order]) -> bool | None:
    fields = [access.field] if access.field == NAME else [access.field, NAME]
    directions = {one.descending for one in order}
    if [one.field for one in order] != fields or len(directions) != 1:
        return None
    return directions.pop()


def _whole_test(query: Query, present: Sequence[FieldPath]) -> Callable[[Document], bool]:
    test, parent = predicate(query.where), query.parent
    below = parent + "/" if parent and query.descendants else ""
    if not (below or present):
        return test

    def whole(document: Document) -> bool:
        return (
            document.path.startswith(below)
            and test(document)
            and all(field_key(document, field) is not None for field in present)
        )

    return whole


def _documents(view: View, access: Access, *, backwards: bool) -> Iterator[Document]:
    found = map(view.get, access.paths(backwards))
    return (one for one in found if one is not None)


def _union(view: View, accesses: list[Access]) -> Iterator[Document]:
    accesses = [one for one in accesses if one.complete][:1] or accesses
    paths = dict.fromkeys(path for access in accesses for path in access.paths(False))
    found = map(view.get, paths)
    return (one for one in found if one is not None)


def _placed(
    documents: Iterator[Document], test: Callable[[Document], bool], within: Window
) -> Iterator[Found]:
    for document in documents:
        if test(document):
            where = place(document, within.order)
            if where is not None:
                yield where, document


def _until(found: Iterator[Found], within: Window, needed: int | None) -> list[Document]:
    result: list[Document] = []
    if needed == 0:
        return result
    for where, document in found:
        if within.before(where):
            continue
        if within.past(where):
            break
        result.append(document)
        if len(result) == needed:
            break
    return result
