"""Which queries production refuses, and in what words.

Source: https://firebase.google.com/docs/firestore/query-data/queries#query_limitations and
https://firebase.google.com/docs/firestore/quotas; wording as Google's emulator has it. Must not
know documents or indexes.
"""

from __future__ import annotations

from collections.abc import Sequence

from emulator.embedded.firestore.model import NAME, Cursor, Order, Query
from emulator.embedded.firestore.paths import check_collection_id, format_field_path
from emulator.embedded.firestore.query.filter_rules import (
    check_filter,
    check_name_equality,
    check_names_document,
    check_size,
)
from emulator.embedded.firestore.query.filters import OF_ARRAYS
from emulator.embedded.firestore.query.nearest import check_nearest
from emulator.embedded.firestore.query.normal_form import leaves
from emulator.embedded.firestore.query.ordering import full_order
from emulator.embedded.firestore.values import Reference, Value
from emulator.embedded.refusal import Refusal, Status, invalid

MAX_COMPONENTS = 100


def check_query(query: Query, database: str) -> None:
    """Raises Refusal where the query is not allowed, whatever is stored and indexed.

    `database` is the name of the database asked, `projects/p/databases/d`.
    """
    if query.where is not None:
        check_filter(query.where, database)
    if query.offset < 0:
        raise invalid("offset is negative")
    if query.limit is not None and query.limit < 0:
        raise invalid("limit is negative")
    check_nearest(query)
    if query.parent and query.descendants:
        _check_subtree(query)
    _check_components(query)
    check_size(query.where)
    for cursor in (query.start, query.end):
        if cursor is not None:
            _check_cursor(cursor, query.order_by, database)
    if query.collection is None:
        _check_kindless(query)
    else:
        check_collection_id(query.collection)
    check_name_equality(query.where)
    _check_order(query)


def _check_kindless(query: Query) -> None:
    if any(one.field != NAME or one.descending for one in query.order_by):
        raise invalid("kind is required for all orders except __key__ ascending")
    for one in leaves(query.where):
        if one.field != NAME:
            elements = "[*]" if one.operator in OF_ARRAYS else ""
            raise invalid(f"kind is required for filter: {format_field_path(one.field)}{elements}")


def _check_subtree(query: Query) -> None:
    used = [one.field for one in leaves(query.where)]
    used += [one.field for one in query.order_by]
    if any(field != NAME for field in used):
        raise invalid("collection group queries are only allowed at the root parent")
    if any(one.descending for one in query.order_by):
        raise Refusal(
            Status.FAILED_PRECONDITION,
            "collection group queries are only allowed if they're at the root or they're an "
            "ascending primary key scan",
        )


def _check_cursor(cursor: Cursor, order: Sequence[Order], database: str) -> None:
    # Only the order that is asked for takes values: not the fields and the name it implies.
    if len(cursor.values) > len(order):
        raise invalid("Cursor has too many values.")
    for value, one in zip(cursor.values, order, strict=False):
        if one.field == NAME:
            _check_position(value, database)


def _check_position(value: Value, database: str) -> None:
    if not isinstance(value, Reference):
        raise invalid("Cursor __key__ value is not a document reference.")
    if value.database != database:
        raise invalid("The cursor key is in a different database than the query")
    check_names_document(value)


def _check_order(query: Query) -> None:
    seen = set()
    for one in query.order_by:
        if one.field in seen:
            raise invalid(
                f"order by clause cannot contain duplicate fields {format_field_path(one.field)}"
            )
        seen.add(one.field)
    if any(one.field == NAME for one in full_order(query)[:-1]):
        raise invalid("order by clause cannot contain more fields after the key")


def _check_components(query: Query) -> None:
    filters, orders = sum(1 for _ in leaves(query.where)), len(query.order_by)
    ancestor = bool(query.parent)
    if filters + orders + ancestor > MAX_COMPONENTS:
        raise invalid(
            f"The query may not have more than {MAX_COMPONENTS} filters + sort orders + ancestor "
            f"total. Currently there are {filters} filters, {orders} sort orders, and "
            f"{'one' if ancestor else 'no'} ancestor filter."
        )
