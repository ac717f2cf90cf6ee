"""Queries mean on the wire what they mean in the model; what is malformed is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emulator.embedded.firestore.model import (
    Aggregation,
    Composite,
    Cursor,
    FieldFilter,
    FindNearest,
    Operator,
    Order,
    Query,
)
from emulator.embedded.firestore.rpc.wire_queries import aggregations_of, query_of
from emulator.embedded.firestore.rpc.wire_values import encode
from emulator.embedded.firestore.values import Reference, Vector
from emulator.embedded.messages import firestore_pb
from emulator.embedded.refusal import Refusal, Status

NAME = "projects/p/databases/d/documents/c/x"
FIELD = {"field_path": "a"}


def refused(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        call()
    assert caught.value.status is Status.INVALID_ARGUMENT


def query(**fields: Any) -> Query:
    given = {"from_": [{"collection_id": "c"}], **fields}
    return query_of("", firestore_pb.StructuredQuery(**given))


def test_a_query_with_everything() -> None:
    field = {"field_path": "a.b"}
    built = query(
        from_=[{"collection_id": "c", "all_descendants": True}],
        where={
            "composite_filter": {
                "op": 2,
                "filters": [
                    {"field_filter": {"field": field, "op": 8, "value": encode([[1], 2])}},
                    {"unary_filter": {"field": {"field_path": "n"}, "op": 3}},
                ],
            }
        },
        order_by=[{"field": field, "direction": 2}, {"field": {"field_path": "__name__"}}],
        start_at={"values": [encode(1)], "before": True},
        end_at={"values": [encode(2), encode(Reference(NAME))]},
        offset=3,
        limit={"value": 4},
        select={"fields": [field]},
    )
    assert built == Query(
        "",
        "c",
        descendants=True,
        where=Composite(
            "or",
            (
                FieldFilter(("a", "b"), Operator.IN, [[1], 2]),
                FieldFilter(("n",), Operator.IS_NULL),
            ),
        ),
        order_by=(Order(("a", "b"), descending=True), Order(("__name__",))),
        start=Cursor((1,), before=True),
        end=Cursor((2, Reference(NAME)), before=False),
        offset=3,
        limit=4,
        select=(("a", "b"),),
    )


def test_a_limit_of_zero_is_a_limit_and_no_projection_is_everything() -> None:
    assert query(limit={"value": 0}).limit == 0
    assert query().limit is None
    assert query(select={}).select is None


def test_the_nearest_vectors() -> None:
    nearest = {
        "vector_field": {"field_path": "v"},
        "query_vector": encode(Vector((1.0,))),
        "distance_measure": 2,
        "limit": {"value": 5},
    }
    assert query(find_nearest=nearest).nearest == FindNearest(("v",), (1.0,), "COSINE", 5)
    more = {**nearest, "distance_result_field": "far", "distance_threshold": {"value": 0.0}}
    built = query(find_nearest=more).nearest
    assert built is not None
    assert (built.distance_field, built.threshold) == ("far", 0.0)
    for missing in ("query_vector", "distance_measure", "limit"):
        less = {name: value for name, value in nearest.items() if name != missing}
        refused(lambda less=less: query(find_nearest=less), "FindNearest|type unset")  # type: ignore[misc]
    refused(lambda: query(find_nearest={**nearest, "query_vector": encode([1.0])}), "a vector")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"from_": []}, "must have a collection"),
        ({"from_": [{"collection_id": "a"}, {"collection_id": "b"}]}, "more than one"),
        ({"where": {}}, "must have a type"),
        ({"where": {"composite_filter": {"op": 1}}}, "at least one"),
        ({"where": {"composite_filter": {"filters": [{}]}}}, "AND or OR"),
        ({"where": {"unary_filter": {"field": {"field_path": "a"}}}}, "operator"),
        ({"where": {"field_filter": {"field": {"field_path": "a"}, "value": encode(1)}}}, "operat"),
        ({"where": {"field_filter": {"field": {"field_path": "a"}, "op": 5}}}, "type unset"),
        ({"order_by": [{}]}, "empty property"),
        ({"order_by": [{"field": FIELD, "direction": 3}]}, "Unrecognized ordering"),
    ],
)
def test_what_is_no_query_is_refused(fields: Any, words: str) -> None:
    refused(lambda: query(**fields), words)


def test_aggregations() -> None:
    message = firestore_pb.StructuredAggregationQuery(
        aggregations=[
            {"alias": "n", "count": {"up_to": {"value": 7}}},
            {"count": {}},
            {"alias": "s", "sum": {"field": {"field_path": "a.b"}}},
            {"alias": "m", "avg": {"field": {"field_path": "c"}}},
        ]
    )
    assert aggregations_of(message) == [
        Aggregation("n", "count", up_to=7),
        Aggregation("", "count"),
        Aggregation("s", "sum", ("a", "b")),
        Aggregation("m", "avg", ("c",)),
    ]
    empty = firestore_pb.StructuredAggregationQuery(aggregations=[{"alias": "x"}])
    refused(lambda: aggregations_of(empty), "must have an operator")
