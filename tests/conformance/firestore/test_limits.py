"""Bounds: https://firebase.google.com/docs/firestore/quotas#limits."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud.firestore import CollectionReference
from google.cloud.firestore_v1.base_query import And, FieldFilter, Or

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference
MIB = 1_048_576


def test_a_document_holds_a_mebibyte(things: Things) -> None:
    # https://firebase.google.com/docs/firestore/storage-size
    name = len(things.id) + 1 + len("a") + 1 + 16
    free = MIB - name - 32 - 2 * len("f") - 2 - 500_000
    things.document("a").set({"f": b"x" * 500_000, "g": b"x" * free})
    with pytest.raises(InvalidArgument):
        things.document("a").set({"f": b"x" * 500_000, "g": b"x" * (free + 1)})
    with pytest.raises(InvalidArgument):
        things.document("a").update({"h": 1})
    assert len(things.document("a").get().get("g")) == free


@pytest.mark.parametrize("one", [b"x", "x"], ids=["bytes", "text"])
def test_a_value_holds_89_bytes_less(things: Things, one: Any) -> None:
    things.document("a").set({"f": one * (MIB - 89)})
    with pytest.raises(InvalidArgument):
        things.document("a").set({"f": one * (MIB - 88)})


def test_a_request_holds_ten_mebibytes(raw: Raw, things: Things) -> None:
    writes = [
        raw.put(f"{things.id}/{number}", {"f": {"bytes_value": b"x" * 1_000_000}})
        for number in range(11)
    ]
    request = {"database": raw.database, "writes": writes[:9]}
    raw.api.commit(request, retry=None, timeout=10)
    with pytest.raises(InvalidArgument):
        raw.api.commit({**request, "writes": writes}, retry=None, timeout=10)
    assert len(raw.query(things.id)) == 9


def test_a_document_nests_twenty_levels(things: Things) -> None:
    def nested(depth: int) -> dict[str, Any]:
        return {"m": nested(depth - 1)} if depth else {"n": 1}

    things.document("a").set(nested(20))
    with pytest.raises(InvalidArgument):
        things.document("b").set(nested(21))


def test_a_list_holds_no_list(raw: Raw, things: Things) -> None:
    inner = {"array_value": {"values": [{"integer_value": 1}]}}
    with pytest.raises(InvalidArgument):
        raw.commit(raw.put(f"{things.id}/a", {"f": {"array_value": {"values": [inner]}}}))


NAMES = ["a", "A-z_0.9~ x", "\u00fc\U0001f680", "x" * 1500, "__x", "x__", "_", "...", ".a"]
BAD_NAMES = {
    "dot": ".",
    "dots": "..",
    "reserved": "__x__",
    "reserved-of-nothing": "____",
    "long": "x" * 1501,
    "long-in-bytes": "\u00fc" * 751,
}


BAD_FIELDS = {"empty": "", **{name: BAD_NAMES[name] for name in list(BAD_NAMES)[2:]}}


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_ids_within_the_rules_are_accepted(things: Things, name: str) -> None:
    things.document(name).set({"n": 1})
    assert [each.id for each in things.stream()] == [name]


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_document_ids_against_the_rules_are_refused(raw: Raw, things: Things, name: str) -> None:
    with pytest.raises(InvalidArgument):
        raw.commit(raw.put(f"{things.id}/{name}"))


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_collection_ids_against_the_rules_are_refused(raw: Raw, name: str) -> None:
    with pytest.raises(InvalidArgument):
        raw.commit(raw.put(f"{name}/a"))


@pytest.mark.parametrize("field", BAD_FIELDS.values(), ids=BAD_FIELDS.keys())
def test_field_names_against_the_rules_are_refused(raw: Raw, things: Things, field: str) -> None:
    with pytest.raises(InvalidArgument):
        raw.commit(raw.put(f"{things.id}/a", {field: {"integer_value": 1}}))


def test_a_path_has_at_most_a_hundred_levels(raw: Raw, things: Things) -> None:
    deep = "/".join([things.id, *["x"] * 199])
    raw.commit(raw.put(deep))
    with pytest.raises(InvalidArgument):
        raw.commit(raw.put(deep + "/x/x"))


QUERIES: list[tuple[str, Any]] = [
    ("in", FieldFilter("n", "in", list(range(31)))),
    ("not-in", FieldFilter("n", "not-in", list(range(11)))),
    ("contains-any", FieldFilter("n", "array_contains_any", list(range(31)))),
    ("alternatives", Or([FieldFilter("n", "==", number) for number in range(31)])),
    (
        "alternatives-multiplied",
        And([FieldFilter("n", "in", list(range(6))), FieldFilter("m", "in", list(range(6)))]),
    ),
    (
        "two-contains",
        And([FieldFilter("n", "array_contains", 1), FieldFilter("n", "array_contains", 2)]),
    ),
    (
        "not-in-and-unequal",
        And([FieldFilter("n", "not-in", [1]), FieldFilter("n", "!=", 2)]),
    ),
    ("not-in-and-in", And([FieldFilter("n", "not-in", [1]), FieldFilter("m", "in", [2])])),
    ("two-not-in", And([FieldFilter("n", "not-in", [1]), FieldFilter("m", "not-in", [2])])),
    ("not-in-or", Or([FieldFilter("n", "not-in", [1]), FieldFilter("m", "==", 2)])),
]


@pytest.mark.parametrize("where", [row[1] for row in QUERIES], ids=[row[0] for row in QUERIES])
def test_queries_beyond_the_limit_are_refused(things: Things, where: Any) -> None:
    with pytest.raises(InvalidArgument):
        list(things.where(filter=where).stream())


FITTING: list[tuple[str, Any]] = [
    ("in", FieldFilter("n", "in", list(range(30)))),
    ("not-in", FieldFilter("n", "not-in", list(range(10)))),
    ("contains-any", FieldFilter("n", "array_contains_any", list(range(30)))),
    ("alternatives", Or([FieldFilter("n", "==", number) for number in range(30)])),
    (
        "alternatives-multiplied",
        And([FieldFilter("n", "in", list(range(5))), FieldFilter("m", "in", list(range(6)))]),
    ),
]


@pytest.mark.parametrize("where", [row[1] for row in FITTING], ids=[row[0] for row in FITTING])
def test_queries_up_to_the_limit_run(things: Things, where: Any) -> None:
    things.document("a").set({"n": 0, "m": 0})
    things.document("b").set({"n": [0], "m": 0})
    assert len(list(things.where(filter=where).stream())) == 1


def test_a_field_is_transformed_500_times(raw: Raw, things: Things) -> None:
    def write(count: int) -> dict[str, Any]:
        one = {"field_path": "n", "increment": {"integer_value": 1}}
        return {**raw.put(f"{things.id}/a"), "update_transforms": [one] * count}

    raw.commit(write(500))
    with pytest.raises(InvalidArgument):
        raw.commit(write(501))
    assert things.document("a").get().to_dict() == {"n": 500}


def test_a_commit_takes_more_than_500_writes(raw: Raw, things: Things) -> None:
    raw.commit(*(raw.put(f"{things.id}/d{number}") for number in range(501)))
    assert len(raw.query(things.id)) == 501


def test_text_is_unicode_of_any_plane(things: Things) -> None:
    things.document("a").set({"\U0001f680": "\U0001f680" * 10})
    assert things.document("a").get().to_dict() == {"\U0001f680": "\U0001f680" * 10}
