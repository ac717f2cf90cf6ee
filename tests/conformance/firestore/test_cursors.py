"""Cursors: https://firebase.google.com/docs/firestore/query-data/query-cursors."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud.firestore import Client, CollectionReference, Query
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.field_path import FieldPath

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference
DOWN = Query.DESCENDING
NAME = FieldPath.document_id()

DATA: dict[str, dict[str, Any]] = {
    "a": {"x": 1, "y": 1},
    "b": {"x": 1, "y": 2},
    "c": {"x": 2, "y": 1},
    "d": {"x": 2, "y": 2},
    "e": {"x": 2, "y": 2},
    "f": {"x": 3, "y": 0},
    "g": {"x": "text", "y": 0},
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


BOUNDS: list[tuple[str, Any, str]] = [
    ("start_at", {"x": 2}, "cdefg"),
    ("start_after", {"x": 2}, "fg"),
    ("end_at", {"x": 2}, "abcde"),
    ("end_before", {"x": 2}, "ab"),
    ("start_at", {"x": 1.5}, "cdefg"),
    ("start_at", {"x": "a"}, "g"),
    ("start_after", {"x": None}, "abcdefg"),
    ("end_at", {"x": None}, ""),
    ("start_after", {"x": "text"}, ""),
]


@pytest.mark.parametrize(("bound", "values", "expected"), BOUNDS)
def test_a_cursor_bounds_an_order(full: Things, bound: str, values: Any, expected: str) -> None:
    assert order(getattr(full.order_by("x"), bound)(values)) == expected


def test_a_cursor_may_be_a_prefix_of_the_order(full: Things) -> None:
    query = full.order_by("x").order_by("y", direction=DOWN)
    assert order(query) == "baedcfg"
    assert order(query.start_at({"x": 2})) == "edcfg"
    assert order(query.start_after({"x": 2})) == "fg"
    assert order(query.end_before({"x": 2})) == "ba"
    assert order(query.start_at({"x": 2, "y": 1})) == "cfg"


def test_cursors_on_both_ends_make_a_window(full: Things) -> None:
    query = full.order_by("x").start_after({"x": 1}).end_before({"x": 3})
    assert order(query) == "cde"
    assert order(query.limit(2)) == "cd"
    assert order(query.offset(1)) == "de"


def test_a_descending_order_is_bounded_its_own_way(full: Things) -> None:
    query = full.order_by("x", direction=DOWN)
    assert order(query.start_at({"x": 2})) == "edcba"
    assert order(query.end_at({"x": 2})) == "gfedc"


def test_a_document_is_a_cursor(full: Things) -> None:
    snapshot = full.document("d").get()
    assert order(full.order_by("x").start_after(snapshot)) == "efg"
    assert order(full.order_by("x").start_at(snapshot)) == "defg"
    assert order(full.order_by("x").end_before(snapshot)) == "abc"
    assert order(full.order_by("x", direction=DOWN).start_after(snapshot)) == "cba"
    assert order(full.start_after(snapshot)) == "efg"
    ranged = full.where(filter=FieldFilter("y", ">", 0)).order_by("y")
    assert order(ranged.start_after(snapshot)) == "e"


def test_names_are_bounded_too(full: Things) -> None:
    assert order(full.order_by(NAME).start_after({NAME: "c"})) == "defg"
    assert order(full.order_by(NAME).end_at({NAME: "c"})) == "abc"
    assert order(full.order_by("x").order_by(NAME).start_at({"x": 2, NAME: "d"})) == "defg"


def test_pages_are_read_one_after_another(full: Things) -> None:
    query, pages, last = full.order_by("x").limit(3), [], None
    while page := list((query.start_after(last) if last else query).stream()):
        pages.append("".join(each.id for each in page))
        last = page[-1]
    assert pages == ["abc", "def", "g"]


def test_a_cursor_holds_beside_a_filter(full: Things) -> None:
    query = full.where(filter=FieldFilter("y", "==", 2)).order_by("x")
    assert order(query.start_at({"x": 2})) == "de"
    ranged = full.where(filter=FieldFilter("x", ">=", 1)).order_by("x")
    assert order(ranged.end_before({"x": 2})) == "ab"


def test_ends_that_cross_hold_nothing(full: Things) -> None:
    assert order(full.order_by("x").start_at({"x": 3}).end_at({"x": 1})) == ""


def test_a_cursor_is_no_longer_than_the_order(raw: Raw, full: Things) -> None:
    one = {"integer_value": 1}
    query = {
        "from_": [{"collection_id": full.id}],
        "order_by": [{"field": {"field_path": "x"}}],
        "start_at": {"values": [one, one, one], "before": True},
    }
    with pytest.raises(InvalidArgument):
        list(raw.api.run_query({"parent": raw.root, "structured_query": query}))
