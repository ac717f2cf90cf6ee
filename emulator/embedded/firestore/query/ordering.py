"""The complete order of a query's result, and how documents compare in it.

Source: https://firebase.google.com/docs/firestore/query-data/order-limit-data and
https://firebase.google.com/docs/firestore/query-data/multiple-range-fields. Must not know filters'
values or indexes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TypeAlias

from emulator.embedded.firestore.model import NAME, Document, FieldPath, Filter, Order, Query
from emulator.embedded.firestore.query.filters import INEQUALITIES
from emulator.embedded.firestore.query.normal_form import leaves
from emulator.embedded.firestore.query.sort_keys import field_key
from emulator.embedded.firestore.values import OrderKey

Place: TypeAlias = tuple[OrderKey, ...]  # one key for each field of an order; direction not in it


def inequality_fields(where: Filter | None) -> list[FieldPath]:
    """The fields with a range or negated filter, sorted; the name comes last."""
    found = {one.field for one in leaves(where) if one.operator in INEQUALITIES}
    return sorted(found, key=lambda field: (field == NAME, field))


def full_order(query: Query) -> tuple[Order, ...]:
    """The order asked for, then fields with inequalities, then the name: the last direction."""
    explicit = query.order_by
    descending = bool(explicit) and explicit[-1].descending
    implied = dict.fromkeys((*inequality_fields(query.where), NAME))
    named = {one.field for one in explicit}
    return *explicit, *(Order(field, descending) for field in implied if field not in named)


def place(document: Document, order: Sequence[Order]) -> Place | None:
    """Where the document stands; None where it lacks a field, and so is not in the result."""
    keys: list[OrderKey] = []
    for one in order:
        key = field_key(document, one.field)
        if key is None:
            return None
        keys.append(key)
    return tuple(keys)


def compare(left: Place, right: Place, order: Sequence[Order]) -> int:
    """Negative where `left` comes first, positive where it comes last, 0 where they are level.

    Either may be a prefix: what it does not name is not compared.
    """
    for mine, other, one in zip(left, right, order, strict=False):
        if mine != other:
            return -1 if (mine < other) is not one.descending else 1
    return 0


def sort_places(found: list[tuple[Place, Document]], order: Sequence[Order]) -> list[Document]:
    """The documents sorted by their places; changes the list."""
    start = len(order)
    # Stable sorts from the last direction to the first: keys then need no wrapper that reverses.
    for descending, run in reversed([(k, [*v]) for k, v in groupby(order, _is_descending)]):
        start, end = start - len(run), start

        def part(one: tuple[Place, Document], start: int = start, end: int = end) -> Place:
            return one[0][start:end]

        found.sort(key=part, reverse=descending)
    return [document for _, document in found]


def _is_descending(one: Order) -> bool:
    return one.descending
