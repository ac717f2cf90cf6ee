"""Transforms: .../docs/reference/rpc/google.firestore.v1#documenttransform."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument, NotFound
from google.cloud.firestore import (
    SERVER_TIMESTAMP,
    ArrayRemove,
    ArrayUnion,
    Client,
    CollectionReference,
    Increment,
    Maximum,
    Minimum,
)

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference
LARGEST, SMALLEST = 2**63 - 1, -(2**63)
ABSENT = object()

# What was there, the transform, what is there then.
TABLE: list[tuple[str, Any, Any, Any]] = [
    ("int-plus-int", 1, Increment(2), 3),
    ("int-plus-float", 1, Increment(0.5), 1.5),
    ("float-plus-int", 0.5, Increment(1), 1.5),
    ("nothing-plus-int", ABSENT, Increment(2), 2),
    ("nothing-plus-float", ABSENT, Increment(0.5), 0.5),
    ("text-plus-int", "text", Increment(2), 2),
    ("null-plus-int", None, Increment(2), 2),
    ("minus", 5, Increment(-7), -2),
    ("overflow", LARGEST, Increment(1), LARGEST),
    ("underflow", SMALLEST, Increment(-1), SMALLEST),
    ("infinite", math.inf, Increment(1), math.inf),
    ("max-greater", 1, Maximum(2), 2),
    ("max-smaller", 3, Maximum(2), 3),
    ("max-of-types", 1, Maximum(2.5), 2.5),
    ("max-of-nothing", ABSENT, Maximum(2), 2),
    ("max-of-text", "text", Maximum(2), 2),
    ("max-of-equals-keeps", 3.0, Maximum(3), 3.0),
    ("min-smaller", 3, Minimum(2), 2),
    ("min-greater", 1, Minimum(2), 1),
    ("min-of-nothing", ABSENT, Minimum(2), 2),
    ("min-of-equals-keeps", 3, Minimum(3.0), 3),
    ("union", [1, 2], ArrayUnion([2, 3]), [1, 2, 3]),
    ("union-of-nothing", ABSENT, ArrayUnion([1, 1]), [1]),
    ("union-of-text", "text", ArrayUnion([1]), [1]),
    ("union-of-equals", [1], ArrayUnion([1.0]), [1]),
    ("union-of-maps", [{"a": 1}], ArrayUnion([{"a": 1}, {"a": 2}]), [{"a": 1}, {"a": 2}]),
    ("union-of-null", [None], ArrayUnion([None, math.inf]), [None, math.inf]),
    ("union-keeps-duplicates", [1, 1], ArrayUnion([2]), [1, 1, 2]),
    ("remove", [1, 2, 1, 3], ArrayRemove([1]), [2, 3]),
    ("remove-of-nothing", ABSENT, ArrayRemove([1]), []),
    ("remove-of-text", "text", ArrayRemove([1]), []),
    ("remove-of-equals", [1, 2], ArrayRemove([2.0]), [1]),
    ("remove-of-absent", [1], ArrayRemove([5]), [1]),
]


@pytest.mark.parametrize(
    ("before", "transform", "after"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_a_transform_changes_a_field(
    things: Things, before: Any, transform: Any, after: Any
) -> None:
    document = things.document("a")
    document.set({} if before is ABSENT else {"f": before})
    document.update({"f": transform})
    found = document.get().get("f")
    assert found == after
    assert type(found) is type(after)


def test_not_a_number_wins_in_sums(things: Things) -> None:
    things.document("a").set({"f": math.nan, "g": math.nan, "h": math.nan})
    things.document("a").update({"f": Increment(1), "g": Maximum(1), "h": Minimum(1)})
    found = things.document("a").get().to_dict()
    assert found["g"] == 1 or math.isnan(found["g"])
    assert math.isnan(found["f"])


def test_the_server_s_time_is_the_commit_s(things: Things) -> None:
    earlier = things.document("b").set({}).update_time
    written = things.document("a").set({"at": SERVER_TIMESTAMP, "b": {"at": SERVER_TIMESTAMP}})
    found = things.document("a").get()
    assert found.get("at") == found.get("b.at")
    assert found.get("at").microsecond % 1000 == 0 or found.get("at") == written.update_time
    rounded_down = timedelta(milliseconds=1)
    assert earlier - rounded_down < found.get("at") <= written.update_time


def test_transforms_go_with_plain_fields(things: Things) -> None:
    document = things.document("a")
    document.set({"n": 1, "old": 1})
    document.set({"n": Increment(1), "plain": "x", "list": ArrayUnion([1])})
    assert document.get().to_dict() == {"n": 1, "plain": "x", "list": [1]}
    document.set({"n": Increment(1), "b": {"n": Increment(5)}}, merge=True)
    assert document.get().to_dict() == {"n": 2, "plain": "x", "list": [1], "b": {"n": 5}}


def test_a_transform_alone_makes_a_document(things: Things) -> None:
    things.document("a").set({"n": Increment(1)}, merge=True)
    assert things.document("a").get().to_dict() == {"n": 1}


def test_a_transform_in_an_update_makes_none(things: Things) -> None:
    with pytest.raises(NotFound):
        things.document("a").update({"n": Increment(1)})


def test_transforms_add_up_in_a_batch(db: Client, things: Things) -> None:
    batch = db.batch()
    batch.set(things.document("a"), {"n": 1})
    for _ in range(3):
        batch.update(things.document("a"), {"n": Increment(2)})
    batch.commit()
    assert things.document("a").get().to_dict() == {"n": 7}


def test_results_are_in_the_order_of_the_transforms(raw: Raw, things: Things) -> None:
    things.document("a").set({"n": 1, "list": [1]})
    transforms = [
        {"field_path": "n", "increment": {"integer_value": 2}},
        {"field_path": "n", "maximum": {"integer_value": 10}},
        {"field_path": "list", "append_missing_elements": {"values": [{"integer_value": 2}]}},
        {"field_path": "list", "remove_all_from_array": {"values": [{"integer_value": 1}]}},
        {"field_path": "at", "set_to_server_value": "REQUEST_TIME"},
    ]
    write = {
        **raw.put(f"{things.id}/a"),
        "update_mask": {"field_paths": []},
        "update_transforms": transforms,
    }
    [result] = raw.commit(write).write_results
    first, second, third, fourth, fifth = result.transform_results
    assert (first.integer_value, second.integer_value) == (3, 10)
    # Array transforms answer with null.
    assert [each._pb.WhichOneof("value_type") for each in (third, fourth)] == ["null_value"] * 2
    found = things.document("a").get().to_dict()
    assert found == {"n": 10, "list": [2], "at": fifth.timestamp_value}


def test_a_transform_write_stands_alone_too(raw: Raw, things: Things) -> None:
    transform = {
        "document": raw.name(f"{things.id}/a"),
        "field_transforms": [{"field_path": "n", "increment": {"integer_value": 2}}],
    }
    [result] = raw.commit({"transform": transform}).write_results
    assert result.transform_results[0].integer_value == 2
    assert things.document("a").get().to_dict() == {"n": 2}


@pytest.mark.parametrize(
    "transform",
    [
        {"field_path": "", "increment": {"integer_value": 1}},
        {"field_path": "n", "increment": {"string_value": "x"}},
        {"field_path": "n", "maximum": {"string_value": "x"}},
        {"field_path": "n"},
        {"field_path": "n", "set_to_server_value": "SERVER_VALUE_UNSPECIFIED"},
    ],
    ids=["no-field", "increment-by-text", "maximum-of-text", "nothing", "unknown-value"],
)
def test_a_malformed_transform_is_refused(
    raw: Raw, things: Things, transform: dict[str, Any]
) -> None:
    with pytest.raises(InvalidArgument):
        raw.commit({**raw.put(f"{things.id}/a"), "update_transforms": [transform]})
