"""Vector search: https://firebase.google.com/docs/firestore/vector-search."""

from __future__ import annotations

import math
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud.firestore import AsyncClient, Client, CollectionReference
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.base_vector_query import DistanceMeasure
from google.cloud.firestore_v1.vector import Vector

Things = CollectionReference
EUCLIDEAN, COSINE, DOT = (
    DistanceMeasure.EUCLIDEAN,
    DistanceMeasure.COSINE,
    DistanceMeasure.DOT_PRODUCT,
)

DATA: dict[str, dict[str, Any]] = {
    "a": {"v": Vector([1.0, 0.0]), "kind": "x"},
    "b": {"v": Vector([3.0, 4.0]), "kind": "y"},
    "c": {"v": Vector([0.0, 2.0]), "kind": "x"},
    "d": {"v": Vector([-1.0, 0.0]), "kind": "y"},
    "long": {"v": Vector([1.0, 0.0, 0.0])},
    "list": {"v": [1.0, 0.0]},
    "none": {"kind": "x"},
}
QUERY = Vector([1.0, 0.0])


@pytest.fixture
def full(db: Client, things: Things) -> Things:
    batch = db.batch()
    for name, fields in DATA.items():
        batch.set(things.document(name), {**fields, "m": {"v": fields.get("v")}})
    batch.commit()
    return things


def nearest(query: Any, measure: DistanceMeasure, *, field: str = "v", **options: Any) -> Any:
    options = {"limit": 10, "distance_result_field": "distance", **options}
    found = query.find_nearest(field, QUERY, distance_measure=measure, **options).get()
    return [(each.id, each.get("distance")) for each in found]


DISTANCES = [
    (EUCLIDEAN, [("a", 0.0), ("c", math.sqrt(5)), ("d", 2.0), ("b", math.sqrt(20))]),
    (COSINE, [("a", 0.0), ("b", 0.4), ("c", 1.0), ("d", 2.0)]),
    (DOT, [("b", 3.0), ("a", 1.0), ("c", 0.0), ("d", -1.0)]),
]


@pytest.mark.parametrize(("measure", "expected"), DISTANCES, ids=["euclidean", "cosine", "dot"])
def test_the_nearest_come_first(full: Things, measure: Any, expected: Any) -> None:
    ordered = sorted(expected, key=lambda row: -row[1] if measure is DOT else row[1])
    found = nearest(full, measure)
    assert [name for name, _ in found] == [name for name, _ in ordered]
    assert [far for _, far in found] == pytest.approx([far for _, far in ordered])


def test_a_limit_cuts_the_farther(full: Things) -> None:
    assert [name for name, _ in nearest(full, EUCLIDEAN, limit=2)] == ["a", "d"]


def test_a_threshold_bounds_the_distance(full: Things) -> None:
    assert [name for name, _ in nearest(full, EUCLIDEAN, distance_threshold=2.0)] == ["a", "d"]
    assert [name for name, _ in nearest(full, COSINE, distance_threshold=0.5)] == ["a", "b"]
    assert [name for name, _ in nearest(full, DOT, distance_threshold=1.0)] == ["b", "a"]


def test_a_filter_comes_before_the_search(full: Things) -> None:
    filtered = full.where(filter=FieldFilter("kind", "==", "y"))
    assert [name for name, _ in nearest(filtered, EUCLIDEAN)] == ["d", "b"]
    assert [name for name, _ in nearest(filtered, EUCLIDEAN, limit=1)] == ["d"]


def test_a_vector_may_be_nested(full: Things) -> None:
    assert [name for name, _ in nearest(full, EUCLIDEAN, field="m.v", limit=2)] == ["a", "d"]


def test_without_a_field_for_it_no_distance_is_told(full: Things) -> None:
    found = full.find_nearest("v", QUERY, limit=1, distance_measure=EUCLIDEAN).get()
    assert [each.to_dict().keys() for each in found] == [{"v", "kind", "m"}]


def test_a_selection_goes_with_a_search(full: Things) -> None:
    found = (
        full.select(["kind", "distance"])
        .find_nearest("v", QUERY, 1, EUCLIDEAN, distance_result_field="distance")
        .get()
    )
    assert [each.to_dict() for each in found] == [{"kind": "x", "distance": 0.0}]


def test_a_group_is_searched(db: Client, things: Things) -> None:
    group = things.id + "-group"
    for parent, far in (("a", 3.0), ("b", 1.0)):
        db.document(f"{things.id}/{parent}/{group}/{parent}").set({"v": Vector([far, 0.0])})
    found = nearest(db.collection_group(group), EUCLIDEAN)
    assert [name for name, _ in found] == ["b", "a"]


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_one_to_a_thousand_are_found(full: Things, limit: int) -> None:
    with pytest.raises(InvalidArgument):
        nearest(full, EUCLIDEAN, limit=limit)


@pytest.mark.parametrize("vector", [[], [0.0] * 2049], ids=["empty", "long"])
def test_a_query_vector_has_up_to_2048_dimensions(full: Things, vector: list[float]) -> None:
    with pytest.raises(InvalidArgument):
        full.find_nearest("v", Vector(vector), limit=1, distance_measure=EUCLIDEAN).get()


def test_a_stored_vector_has_up_to_2048_dimensions(things: Things) -> None:
    things.document("a").set({"v": Vector([0.5] * 2048)})
    with pytest.raises(InvalidArgument):
        things.document("b").set({"v": Vector([0.5] * 2049)})


async def test_the_asynchronous_client_searches(adb: AsyncClient, full: Things) -> None:
    query = adb.collection(full.id).find_nearest("v", QUERY, limit=1, distance_measure=EUCLIDEAN)
    assert [each.id for each in await query.get()] == ["a"]
