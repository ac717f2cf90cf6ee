"""Order of results: https://firebase.google.com/docs/firestore/query-data/order-limit-data."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud.firestore import Client, CollectionReference, Query
from google.cloud.firestore_v1.base_query import FieldFilter, Or
from google.cloud.firestore_v1.field_path import FieldPath

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference
DOWN = Query.DESCENDING
NAME = FieldPath.document_id()

DATA: dict[str, dict[str, Any]] = {
    "a": {"x": 1, "y": 2},
    "b": {"x": 1, "y": 1},
    "c": {"x": 2, "y": 1},
    "d": {"x": 1, "y": 2},
    "e": {"x": 3},
    "f": {"y": 0},
}


@pytest.fixture
def full(db: Client, things: Things) -> Things:
    batch = db.batch()
    for name, fields in DATA.items():
        batch.set(things.document(name), fields)
    batch.commit()
    return things


def order(query: Any) -> str:
    return "".join(each.id for each in query.stream())


def test_without_an_order_names_decide(full: Things) -> None:
    assert order(full) == "abcdef"
    assert order(full.where(filter=FieldFilter("y", "==", 1))) == "bc"
    assert order(full.where(filter=FieldFilter("x", "in", [3, 1]))) == "abde"


def test_documents_without_the_field_are_left_out(full: Things) -> None:
    assert order(full.order_by("x")) == "abdce"
    assert order(full.order_by("y")) == "fbcad"
    assert order(full.order_by("x").order_by("y")) == "badc"


def test_names_break_ties_in_the_last_direction(full: Things) -> None:
    assert order(full.order_by("x", direction=DOWN)) == "ecdba"
    assert order(full.order_by("x").order_by("y", direction=DOWN)) == "dabc"
    assert order(full.order_by("x").order_by(NAME, direction=DOWN)) == "dbace"


def test_a_range_orders_by_its_field(full: Things) -> None:
    assert order(full.where(filter=FieldFilter("y", ">=", 1))) == "bcad"
    assert order(full.where(filter=FieldFilter("y", ">", 0)).limit(2)) == "bc"
    assert order(full.where(filter=FieldFilter("x", "!=", 1))) == "ce"
    assert order(full.where(filter=FieldFilter("x", "not-in", [2]))) == "abde"


def test_ranges_order_by_their_fields_by_name(full: Things) -> None:
    wide = full.where(filter=FieldFilter("y", ">=", 0)).where(filter=FieldFilter("x", ">=", 0))
    assert order(wide) == "badc"


def test_a_range_keeps_a_given_order(full: Things) -> None:
    ranged = full.where(filter=FieldFilter("y", ">=", 1))
    assert order(ranged.order_by("y", direction=DOWN)) == "dacb"
    assert order(ranged.order_by("x").order_by("y")) == "badc"


def test_alternatives_are_merged_in_order(full: Things) -> None:
    either = Or([FieldFilter("x", "==", 2), FieldFilter("y", "==", 2)])
    assert order(full.where(filter=either)) == "acd"
    assert order(full.where(filter=either).order_by("x", direction=DOWN)) == "cda"
    assert order(full.where(filter=either).order_by("y").limit(2)) == "ca"


def test_nested_fields_can_be_the_order(things: Things) -> None:
    for name, value in (("a", 2), ("b", 1), ("c", 3)):
        things.document(name).set({"m": {"k": value}})
    assert order(things.order_by("m.k")) == "bac"


def test_names_are_in_the_order_of_their_bytes(things: Things) -> None:
    names = ["10", "9", "A", "a", "a b", "\u00fc", "\uffee", "\U0001f680"]
    for name in reversed(names):
        things.document(name).set({})
    assert [each.id for each in things.stream()] == names


def test_the_last_of_an_order_come_in_order(full: Things) -> None:
    found = full.order_by("x").limit_to_last(2).get()
    assert "".join(each.id for each in found) == "ce"


def test_a_group_is_ordered_by_whole_names(db: Client, things: Things) -> None:
    group = things.id + "-group"
    paths = [f"{things.id}/a/{group}/2", f"{things.id}/b/{group}/1", f"{things.id}/c/{group}/1"]
    for path in reversed(paths):
        db.document(path).set({"x": 1})
    found = db.collection_group(group).order_by("x").stream()
    assert [each.reference.path for each in found] == paths


@pytest.mark.parametrize("orders", [[{"field": {"field_path": ""}}], [{}]], ids=["empty", "none"])
def test_an_order_names_a_field(raw: Raw, things: Things, orders: list[dict[str, Any]]) -> None:
    query = {"from_": [{"collection_id": things.id}], "order_by": orders}
    with pytest.raises(InvalidArgument):
        list(raw.api.run_query({"parent": raw.root, "structured_query": query}))
