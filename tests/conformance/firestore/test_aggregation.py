"""Aggregation: https://firebase.google.com/docs/firestore/query-data/aggregation-queries."""

from __future__ import annotations

import math
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud.firestore import AsyncClient, Client, CollectionReference
from google.cloud.firestore_v1.base_query import FieldFilter

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference
LARGEST = 2**63 - 1


def fill(db: Client, things: Things, values: list[Any]) -> None:
    batch = db.batch()
    for number, value in enumerate(values):
        batch.set(things.document(f"d{number}"), {"n": value, "even": number % 2 == 0})
    batch.commit()


def results(query: Any) -> dict[str, Any]:
    [row] = query.get()
    return {each.alias: each.value for each in row}


def all_three(things: Any) -> dict[str, Any]:
    query = things.count(alias="count").sum("n", alias="sum").avg("n", alias="avg")
    return results(query)


TABLE: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("nothing", [], {"count": 0, "sum": 0, "avg": 0}),
    ("integers", [1, 2, 4], {"count": 3, "sum": 7, "avg": 7 / 3}),
    ("floats", [1.5, 2.5], {"count": 2, "sum": 4.0, "avg": 2.0}),
    ("mixed", [1, 2.5], {"count": 2, "sum": 3.5, "avg": 1.75}),
    ("other-types", [1, "2", None, True, [3]], {"count": 5, "sum": 1, "avg": 1.0}),
    ("no-numbers", ["a"], {"count": 1, "sum": 0, "avg": 0}),
    ("infinite", [1, math.inf], {"count": 2, "sum": math.inf, "avg": math.inf}),
    (
        "overflow",
        [LARGEST, LARGEST],
        {"count": 2, "sum": float(LARGEST) * 2, "avg": float(LARGEST)},
    ),
]


@pytest.mark.parametrize(
    ("values", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_documents_are_counted_and_summed(
    db: Client, things: Things, values: list[Any], expected: dict[str, Any]
) -> None:
    fill(db, things, values)
    found = all_three(things)
    assert found == pytest.approx(expected)
    # The friendly client shows any zero, and null, as 0.0.
    assert not found["sum"] or type(found["sum"]) is type(expected["sum"])


def test_not_a_number_spoils_sums(db: Client, things: Things) -> None:
    fill(db, things, [1, math.nan])
    found = results(things.sum("n", alias="sum").avg("n", alias="avg"))
    assert math.isnan(found["sum"])
    assert math.isnan(found["avg"])


def test_a_query_is_aggregated_after_filter_and_limit(db: Client, things: Things) -> None:
    fill(db, things, [1, 2, 3, 4, 5])
    even = things.where(filter=FieldFilter("even", "==", True))
    assert all_three(even) == {"count": 3, "sum": 9, "avg": 3.0}
    assert all_three(things.order_by("n").limit(2)) == {"count": 2, "sum": 3, "avg": 1.5}
    assert results(things.order_by("n").offset(3).count(alias="c")) == {"c": 2}


def test_a_group_is_counted(db: Client, things: Things) -> None:
    group = things.id + "-group"
    for path in (f"{things.id}/a/{group}/1", f"{things.id}/b/{group}/2"):
        db.document(path).set({"n": 2})
    found = results(db.collection_group(group).count(alias="c").sum("n", alias="s"))
    assert found == {"c": 2, "s": 4}


def test_nested_fields_are_summed(things: Things) -> None:
    for number in range(3):
        things.document(str(number)).set({"m": {"k": number}})
    assert results(things.sum("m.k", alias="s")) == {"s": 3}


def aggregate(raw: Raw, things: Things, *aggregations: dict[str, Any]) -> Any:
    query = {
        "structured_query": {"from_": [{"collection_id": things.id}]},
        "aggregations": list(aggregations),
    }
    answers = raw.api.run_aggregation_query(
        {"parent": raw.root, "structured_aggregation_query": query}
    )
    return [each.result.aggregate_fields for each in answers]


def test_the_average_of_nothing_is_null(raw: Raw, things: Things) -> None:
    [fields] = aggregate(raw, things, {"alias": "a", "avg": {"field": {"field_path": "n"}}})
    assert fields["a"]._pb.WhichOneof("value_type") == "null_value"


def test_counting_can_stop_early(raw: Raw, db: Client, things: Things) -> None:
    fill(db, things, [1, 2, 3])
    up_to = {"alias": "c", "count": {"up_to": {"value": 2}}}
    [fields] = aggregate(raw, things, up_to)
    assert fields["c"].integer_value == 2


def test_aliases_are_made_where_none_is_given(raw: Raw, db: Client, things: Things) -> None:
    fill(db, things, [1, 2])
    [fields] = aggregate(raw, things, {"count": {}}, {"sum": {"field": {"field_path": "n"}}})
    assert {name: value.integer_value for name, value in fields.items()} == {
        "field_1": 2,
        "field_2": 3,
    }


@pytest.mark.parametrize(
    "aggregations",
    [
        [],
        [{"alias": "a"}],
        [{"alias": "a", "count": {}}, {"alias": "a", "count": {}}],
        [{"alias": str(number), "count": {}} for number in range(6)],
        [{"alias": "a", "count": {"up_to": {"value": -1}}}],
        [{"alias": "a", "sum": {"field": {"field_path": ""}}}],
    ],
    ids=["none", "no-operator", "one-alias-twice", "six", "up-to-less", "no-field"],
)
def test_a_malformed_aggregation_is_refused(
    raw: Raw, things: Things, aggregations: list[dict[str, Any]]
) -> None:
    with pytest.raises(InvalidArgument):
        aggregate(raw, things, *aggregations)


async def test_the_asynchronous_client_aggregates(
    adb: AsyncClient, db: Client, things: Things
) -> None:
    fill(db, things, [1, 2])
    [row] = await adb.collection(things.id).count(alias="c").get()
    assert row[0].value == 2
