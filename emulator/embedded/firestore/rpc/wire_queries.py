"""Protobuf queries as the model's.

Refuses what is malformed; which queries make sense is not decided here. Source:
https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#structuredquery.
"""

from __future__ import annotations

from typing import Any

from emulator.embedded.firestore.model import (
    Aggregation,
    Composite,
    Cursor,
    FieldFilter,
    FieldPath,
    Filter,
    FindNearest,
    Operator,
    Order,
    Query,
)
from emulator.embedded.firestore.paths import parse_field_path
from emulator.embedded.firestore.rpc.wire_values import decode
from emulator.embedded.firestore.values import Vector
from emulator.embedded.refusal import invalid

_DESCENDING = {0: False, 1: False, 2: True}  # by Direction; unspecified is ascending
_MEASURES = {1: "EUCLIDEAN", 2: "COSINE", 3: "DOT_PRODUCT"}
_UNARY = {
    2: Operator.IS_NAN,
    3: Operator.IS_NULL,
    4: Operator.IS_NOT_NAN,
    5: Operator.IS_NOT_NULL,
}


def query_of(parent: str, message: Any) -> Query:
    """A StructuredQuery below the document `parent`, or below the root, ""."""
    collection, descendants = _from(message)
    return Query(
        parent=parent,
        collection=collection,
        descendants=descendants,
        where=_filter(message.where) if message.HasField("where") else None,
        order_by=tuple(_order(order) for order in message.order_by),
        start=_cursor(message.start_at) if message.HasField("start_at") else None,
        end=_cursor(message.end_at) if message.HasField("end_at") else None,
        offset=message.offset,
        limit=message.limit.value if message.HasField("limit") else None,
        select=_select(message) if message.HasField("select") else None,
        nearest=_nearest(message.find_nearest) if message.HasField("find_nearest") else None,
    )


def _from(message: Any) -> tuple[str | None, bool]:
    if len(message.from_) > 1:
        raise invalid("StructuredQuery.from cannot have more than one collection selector.")
    if not message.from_:
        raise invalid("StructuredQuery.from must have a collection selector.")
    selector = message.from_[0]
    return selector.collection_id or None, selector.all_descendants


def _field(message: Any) -> FieldPath:
    return parse_field_path(message.field_path)


def _select(message: Any) -> tuple[FieldPath, ...] | None:
    """An empty projection returns everything, as none does."""
    return tuple(_field(field) for field in message.select.fields) or None


def _order(message: Any) -> Order:
    if message.direction not in _DESCENDING:
        raise invalid("Unrecognized ordering.")
    return Order(_field(message.field), _DESCENDING[message.direction])


def _cursor(message: Any) -> Cursor:
    return Cursor(tuple(decode(value) for value in message.values), message.before)


def _filter(message: Any) -> Filter:
    match message.WhichOneof("filter_type"):
        case "field_filter":
            return _field_filter(message.field_filter)
        case "composite_filter":
            return _composite(message.composite_filter)
        case "unary_filter":
            return _unary(message.unary_filter)
    raise invalid("A filter must have a type: composite, field or unary.")


def _composite(message: Any) -> Filter:
    operator = {1: "and", 2: "or"}.get(message.op)
    if operator is None:
        raise invalid("A composite filter must have an operator: AND or OR.")
    if not message.filters:
        raise invalid("A composite filter must have at least one filter.")
    filters = tuple(_filter(one) for one in message.filters)
    return Composite("and" if operator == "and" else "or", filters)


def _field_filter(message: Any) -> FieldFilter:
    if not 1 <= message.op <= 10:
        raise invalid("A field filter must have an operator.")
    operator = Operator(message.op)
    return FieldFilter(_field(message.field), operator, decode(message.value))


def _unary(message: Any) -> FieldFilter:
    if message.op not in _UNARY:
        raise invalid("A unary filter must have an operator.")
    return FieldFilter(_field(message.field), _UNARY[message.op])


def _nearest(message: Any) -> FindNearest:
    vector = decode(message.query_vector)
    if not isinstance(vector, Vector):
        raise invalid("FindNearest.query_vector must be a vector.")
    measure = _MEASURES.get(message.distance_measure)
    if measure is None:
        raise invalid("FindNearest.distance_measure is required.")
    if not message.HasField("limit"):
        raise invalid("FindNearest.limit is required.")
    limited = message.HasField("distance_threshold")
    return FindNearest(
        field=_field(message.vector_field),
        query=vector.values,
        measure=measure,  # type: ignore[arg-type]
        limit=message.limit.value,
        distance_field=message.distance_result_field or None,
        threshold=message.distance_threshold.value if limited else None,
    )


def aggregations_of(message: Any) -> list[Aggregation]:
    """Of a StructuredAggregationQuery; aliases may be empty."""
    return [_aggregation(one) for one in message.aggregations]


def _aggregation(message: Any) -> Aggregation:
    alias = message.alias
    match message.WhichOneof("operator"):
        case "count":
            bounded = message.count.HasField("up_to")
            up_to = message.count.up_to.value if bounded else None
            return Aggregation(alias, "count", up_to=up_to)
        case "sum":
            return Aggregation(alias, "sum", _field(message.sum.field))
        case "avg":
            return Aggregation(alias, "avg", _field(message.avg.field))
    raise invalid("An aggregation must have an operator.")
