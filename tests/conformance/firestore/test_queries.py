"""Filters: https://firebase.google.com/docs/firestore/query-data/queries."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud.firestore import AsyncClient, Client, CollectionReference
from google.cloud.firestore_v1.base_query import And, BaseCompositeFilter, FieldFilter, Or
from google.cloud.firestore_v1.field_path import FieldPath

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference
Filter = FieldFilter | BaseCompositeFilter

DATA: dict[str, dict[str, Any]] = {
    "a": {"n": 1, "t": "x", "tags": [1, 2], "m": {"k": 1}},
    "b": {"n": 2, "t": "x", "tags": [2, 3], "m": {"k": 2}},
    "c": {"n": 3, "t": "y", "tags": [], "m": {}},
    "d": {"n": 2.0, "t": "y", "tags": [{"l": [1]}, None]},
    "e": {"n": "2", "t": "z", "tags": 2},
    "f": {"n": None, "t": "z"},
    "g": {"n": math.nan},
    "h": {"t": "x"},
    "i": {"n": True, "m": {"k": "2"}},
    "j": {"n": [2], "tags": [{"k": 1}]},
}


@pytest.fixture
def full(db: Client, things: Things) -> Things:
    batch = db.batch()
    for name, fields in DATA.items():
        batch.set(things.document(name), fields)
    batch.commit()
    return things


def ids(found: Iterable[Any]) -> str:
    return "".join(sorted(each.id for each in found))


OPERATORS: list[tuple[str, str, Any, str]] = [
    ("n", "==", 2, "bd"),
    ("n", "==", "2", "e"),
    ("n", "==", None, "f"),
    ("n", "==", math.nan, "g"),
    ("n", "==", True, "i"),
    ("n", "==", [2], "j"),
    ("n", "==", 7, ""),
    ("n", "<", 2, "a"),
    ("n", "<=", 2, "abd"),
    ("n", ">", 1, "bcd"),
    ("n", ">=", 2, "bcd"),
    ("n", "<", "3", "e"),
    ("n", ">", [1], "j"),
    ("n", ">=", False, "i"),
    ("n", "!=", 2, "acegij"),
    ("n", "!=", None, "abcdegij"),
    ("n", "!=", math.nan, "abcdeij"),
    ("n", "in", [1, "2"], "ae"),
    ("n", "in", [2, 3, 9], "bcd"),
    ("n", "not-in", [2, "2"], "acgij"),
    ("n", "not-in", [None], ""),
    ("tags", "array_contains", 2, "ab"),
    ("tags", "array_contains", {"l": [1]}, "d"),
    ("tags", "array_contains", {"k": 1}, "j"),
    ("tags", "array_contains_any", [1, 3], "ab"),
    ("tags", "array_contains_any", [9], ""),
    ("tags", "==", [1, 2], "a"),
    ("m.k", "==", 2, "b"),
    ("m.k", ">=", 1, "ab"),
    ("m", "==", {"k": 1}, "a"),
    ("m", "==", {}, "c"),
    ("m.k.z", "==", 2, ""),
    ("none", "==", 1, ""),
]


@pytest.mark.parametrize(("field", "operator", "value", "expected"), OPERATORS)
def test_an_operator_selects(
    full: Things, field: str, operator: str, value: Any, expected: str
) -> None:
    assert ids(full.where(filter=FieldFilter(field, operator, value)).stream()) == expected


def eq(field: str, value: Any) -> FieldFilter:
    return FieldFilter(field, "==", value)


COMPOSITES: list[tuple[Filter, str]] = [
    (And([eq("t", "x"), eq("n", 2)]), "b"),
    (And([FieldFilter("n", ">", 1), FieldFilter("n", "<", 3)]), "bd"),
    (And([FieldFilter("n", ">", 1), eq("t", "y")]), "cd"),
    (And([FieldFilter("n", ">=", 1), FieldFilter("t", ">", "x")]), "cd"),  # two ranges
    (Or([eq("n", 1), eq("n", 3)]), "ac"),
    (Or([eq("t", "z"), eq("n", 2)]), "bdef"),
    (Or([eq("t", "x"), eq("t", "x")]), "abh"),  # each document once
    (And([eq("t", "x"), Or([eq("n", 1), eq("n", 2)])]), "ab"),
    (Or([And([eq("t", "x"), eq("n", 1)]), And([eq("t", "y"), eq("n", 3)])]), "ac"),
    (And([Or([eq("n", 1), eq("n", 2)]), Or([eq("t", "x"), eq("t", "y")])]), "abd"),
    (Or([FieldFilter("tags", "array_contains", 3), eq("n", "2")]), "be"),
    (And([FieldFilter("tags", "array_contains", 2), FieldFilter("n", ">", 1)]), "b"),
    (And([FieldFilter("n", "in", [1, 2]), FieldFilter("t", "in", ["x"])]), "ab"),
    (Or([FieldFilter("n", ">", 2), FieldFilter("n", "<", 2)]), "ac"),
    (Or([FieldFilter("n", "in", [1]), FieldFilter("n", ">", 2)]), "ac"),
]


@pytest.mark.parametrize(
    ("where", "expected"), COMPOSITES, ids=[str(number) for number in range(len(COMPOSITES))]
)
def test_filters_combine(full: Things, where: Filter, expected: str) -> None:
    assert ids(full.where(filter=where).stream()) == expected


def test_filters_added_one_by_one_all_hold(full: Things) -> None:
    query = full.where(filter=eq("t", "x")).where(filter=FieldFilter("n", "<", 2))
    assert ids(query.stream()) == "a"


def test_documents_are_filtered_by_name(full: Things) -> None:
    name = FieldPath.document_id()
    assert ids(full.where(filter=FieldFilter(name, "==", full.document("b"))).stream()) == "b"
    assert ids(full.where(filter=FieldFilter(name, "<", full.document("c"))).stream()) == "ab"
    wanted = [full.document("a"), full.document("j"), full.document("zz")]
    assert ids(full.where(filter=FieldFilter(name, "in", wanted)).stream()) == "aj"


def test_a_query_sees_its_own_collection(full: Things) -> None:
    full.document("a/sub/a2").set({"n": 1})
    assert ids(full.where(filter=eq("n", 1)).stream()) == "a"
    found = full.document("a").collection("sub").where(filter=eq("n", 1)).stream()
    assert [each.id for each in found] == ["a2"]


def test_a_collection_group_spans_parents(db: Client, things: Things) -> None:
    group = things.id + "-group"
    for path in (f"{things.id}/a/{group}/1", f"{things.id}/b/{group}/2", f"{group}/3"):
        db.document(path).set({"n": 1})
    db.document(f"{things.id}/a/other/4").set({"n": 1})
    found = db.collection_group(group).where(filter=eq("n", 1)).stream()
    assert [each.reference.path for each in found] == [
        f"{things.id}/a/{group}/1",
        f"{things.id}/b/{group}/2",
        f"{group}/3",
    ]


def test_a_selection_cuts_the_fields(full: Things) -> None:
    found = full.where(filter=eq("n", 1)).select(["t", "m.k", "none"]).stream()
    assert [each.to_dict() for each in found] == [{"t": "x", "m": {"k": 1}}]


def test_a_selection_of_nothing_leaves_names(full: Things) -> None:
    [found] = full.where(filter=eq("n", 1)).select([]).stream()
    assert (found.id, found.to_dict()) == ("a", {})


def test_an_offset_skips_and_a_limit_cuts(full: Things) -> None:
    query = full.order_by(FieldPath.document_id())
    assert "".join(each.id for each in query.offset(2).limit(3).stream()) == "cde"
    assert "".join(each.id for each in query.offset(8).stream()) == "ij"
    assert list(query.offset(50).stream()) == []


def test_a_limit_of_nothing_is_refused(raw: Raw, things: Things) -> None:
    for change in ({"limit": -1}, {"offset": -1}):
        query = {"from_": [{"collection_id": things.id}], **change}
        with pytest.raises(InvalidArgument):
            list(raw.api.run_query({"parent": raw.root, "structured_query": query}))


@pytest.mark.parametrize(
    "where",
    [
        {"field_filter": {"field": {"field_path": "n"}, "op": "IN", "value": {"array_value": {}}}},
        {"field_filter": {"field": {"field_path": "n"}, "op": "IN", "value": {"integer_value": 1}}},
        {"field_filter": {"field": {"field_path": "n"}, "op": "OPERATOR_UNSPECIFIED"}},
        {"field_filter": {"field": {"field_path": "n"}, "op": "EQUAL"}},
        {
            "field_filter": {
                "field": {"field_path": "__name__"},
                "op": "EQUAL",
                "value": {"integer_value": 1},
            }
        },
        {"composite_filter": {"op": "AND", "filters": []}},
        {"unary_filter": {"field": {"field_path": "n"}, "op": "OPERATOR_UNSPECIFIED"}},
    ],
    ids=[
        "empty-in",
        "in-no-list",
        "no-operator",
        "no-value",
        "name-no-reference",
        "empty-and",
        "no-unary",
    ],
)
def test_a_malformed_condition_is_refused(raw: Raw, things: Things, where: dict[str, Any]) -> None:
    query = {"from_": [{"collection_id": things.id}], "where": where}
    with pytest.raises(InvalidArgument):
        list(raw.api.run_query({"parent": raw.root, "structured_query": query}))


def test_an_empty_result_still_has_a_time(raw: Raw, things: Things) -> None:
    query = {"from_": [{"collection_id": things.id}]}
    answers = list(raw.api.run_query({"parent": raw.root, "structured_query": query}))
    assert all(not each.document for each in answers)
    assert answers[-1].read_time


async def test_the_asynchronous_client_queries(adb: AsyncClient, full: Things) -> None:
    query = adb.collection(full.id).where(filter=eq("t", "x"))
    assert ids([each async for each in query.stream()]) == "abh"
    assert ids(await query.get()) == "abh"
