"""Types and their order: https://firebase.google.com/docs/firestore/manage-data/data-types."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud.firestore import Client, CollectionReference, GeoPoint
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.vector import Vector

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference
DAY = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)

ROUND_TRIP: list[tuple[str, Any]] = [
    ("null", None),
    ("true", True),
    ("false", False),
    ("zero", 0),
    ("largest", 2**63 - 1),
    ("smallest", -(2**63)),
    ("float", 1.5),
    ("whole-float", 2.0),
    ("tiny", 5e-324),
    ("huge", 1.7976931348623157e308),
    ("infinity", math.inf),
    ("minus-infinity", -math.inf),
    ("time", DAY),
    ("early", datetime(1, 1, 1, tzinfo=UTC)),
    ("late", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ("text", "gr\u00fcn \U0001f680\n\x00"),
    ("empty-text", ""),
    ("bytes", bytes(range(256))),
    ("empty-bytes", b""),
    ("place", GeoPoint(-89.5, 179.25)),
    ("list", [1, "a", None, {"b": [2]}]),
    ("empty-list", []),
    ("map", {"a": {"b": {"c": 1}}}),
    ("empty-map", {}),
    ("map-in-list", [{"a": [1, 2]}, {}]),
]


@pytest.mark.parametrize(
    "value", [row[1] for row in ROUND_TRIP], ids=[row[0] for row in ROUND_TRIP]
)
def test_a_value_comes_back_as_it_was(things: Things, value: Any) -> None:
    things.document("a").set({"f": value, "nested": {"list": [1, {"f": value}]}})
    found = things.document("a").get().to_dict()
    assert found == {"f": value, "nested": {"list": [1, {"f": value}]}}
    assert type(found["f"]) is type(value) or isinstance(value, datetime)


def test_not_a_number_comes_back(things: Things) -> None:
    things.document("a").set({"f": math.nan})
    assert math.isnan(things.document("a").get().get("f"))


def test_a_reference_comes_back(things: Things) -> None:
    things.document("a").set({"f": things.document("b/sub/c")})
    assert things.document("a").get().get("f") == things.document("b/sub/c")


def test_a_vector_comes_back(things: Things) -> None:
    things.document("a").set({"f": Vector([1.0, 2.5])})
    assert things.document("a").get().get("f") == Vector([1.0, 2.5])


def test_minus_zero_keeps_its_sign(things: Things) -> None:
    things.document("a").set({"f": -0.0})
    assert math.copysign(1, things.document("a").get().get("f")) == -1


def test_times_are_cut_to_microseconds(raw: Raw, things: Things) -> None:
    exact = {"timestamp_value": {"seconds": 1, "nanos": 123456789}}
    raw.commit(raw.put(f"{things.id}/a", {"f": exact}))
    found = raw.read(f"{things.id}/a").fields["f"]._pb.timestamp_value
    assert (found.seconds, found.nanos) == (1, 123456000)


# All types, from the smallest value to the largest; values of one inner list are equal.
ASCENDING: list[list[Any]] = [
    [None],
    [False],
    [True],
    [math.nan],
    [-math.inf],
    [-(2**63)],
    [-1.5],
    [-1],
    [0, 0.0, -0.0],
    [5e-324],
    [1, 1.0],
    [1.5],
    [2**53],
    [2**53 + 1],
    [2**63 - 1],
    [math.inf],
    [datetime(1969, 1, 1, tzinfo=UTC)],
    [DAY],
    [""],
    ["A"],
    ["a"],
    ["a\x00"],
    ["aa"],
    ["b"],
    ["\u00fc"],
    ["\uffff"],
    ["\U0001f680"],  # after U+FFFF: by UTF-8 bytes, not by UTF-16 units
    [b""],
    [b"\x00"],
    [b"\x01"],
    [b"\x01\x00"],
    [b"\xff"],
    ["reference a"],
    ["reference a/sub/b"],
    ["reference b"],
    [GeoPoint(-1, 5)],
    [GeoPoint(0, -5)],
    [GeoPoint(0, 5)],
    [[]],
    [[None]],
    [[1]],
    [[1, "a"]],
    [[2]],
    [["a"]],
    [Vector([5.0])],
    [Vector([1.0, 2.0])],
    [Vector([1.0, 3.0])],
    [{}],
    [{"a": 1}],
    [{"a": 1, "b": 0}],
    [{"a": 2}],
    [{"b": 0}],
]


@pytest.fixture
def ladder(db: Client, things: Things) -> list[set[str]]:
    """A document for each value; the ids of each rung."""
    batch, rungs = db.batch(), []
    for number, rung in enumerate(ASCENDING):
        ids = {f"{number:03}-{place}" for place in range(len(rung))}
        rungs.append(ids)
        for name, value in zip(sorted(ids), rung, strict=True):
            batch.set(things.document(name), {"f": _value(things, value)})
    batch.commit()
    return rungs


def test_values_of_all_types_have_one_order(things: Things, ladder: list[set[str]]) -> None:
    expected = [name for rung in ladder for name in sorted(rung)]
    assert [each.id for each in things.order_by("f").stream()] == expected


def test_descending_is_the_exact_reverse(things: Things, ladder: list[set[str]]) -> None:
    expected = [name for rung in ladder for name in sorted(rung)]
    found = things.order_by("f", direction="DESCENDING").stream()
    assert [each.id for each in found] == expected[::-1]


def test_equality_is_that_of_the_order(things: Things, ladder: list[set[str]]) -> None:
    for rung, ids in zip(ASCENDING, ladder, strict=True):
        for value in rung:
            found = things.where(filter=FieldFilter("f", "==", _value(things, value))).stream()
            assert {each.id for each in found} == ids


def test_a_range_stays_within_its_type(things: Things, ladder: list[set[str]]) -> None:
    rank = [_rank(rung[0]) for rung in ASCENDING]
    for place, rung in enumerate(ASCENDING):
        if rung[0] is None or rung[0] != rung[0]:
            continue
        value = _value(things, rung[0])
        above = things.where(filter=FieldFilter("f", ">", value)).stream()
        below = things.where(filter=FieldFilter("f", "<=", value)).stream()
        same = [other for other in range(len(rank)) if rank[other] == rank[place]]
        greater = set().union(*(ladder[other] for other in same if other > place))
        rest = set().union(*(ladder[other] for other in same if other <= place))
        assert {each.id for each in above} == greater
        assert {each.id for each in below} == rest - ladder[_NAN]


_NAN = 3


def _value(things: Things, value: Any) -> Any:
    if isinstance(value, str) and value.startswith("reference "):
        return things.document(value.removeprefix("reference "))
    return value


def _rank(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    if isinstance(value, str) and value.startswith("reference "):
        return "reference"
    return type(value).__name__
