"""Queries read no more than they need and find exactly what they should."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.documents import Documents
from emulator.embedded.firestore.model import (
    NAME,
    Composite,
    Cursor,
    Document,
    FieldFilter,
    Operator,
    Order,
    Query,
)
from emulator.embedded.firestore.query.planner import find, matcher
from emulator.embedded.firestore.run_query import run_query
from emulator.embedded.firestore.values import Reference
from emulator.embedded.refusal import Refusal

DATABASE = "projects/p/databases/d"
K = Order(("k",))


class Counting:
    """Documents that count how many of them are read."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.read = 0

    def get(self, path: str) -> Document | None:
        self.read += 1
        return self._documents.get(path)

    def collection(self, path: str):
        return self._documents.collection(path)

    def in_group(self, group: str | None, under: str = "") -> Iterator[Document]:
        return self._documents.in_group(group, under)


@pytest.fixture(scope="module")
def database() -> Database:
    made = Database(DATABASE, lambda: 0, Random(0))
    for number in range(1000):
        fields = {"k": number, "even": number % 2 == 0, "l": [number % 50], "m": {"n": -number}}
        made.documents.put(Document(f"c/d{number:04}", fields, 1, 1))
    made.documents.put(Document("c/none", {}, 1, 1))
    made.documents.put(Document("r/1/c/inner", {"k": 7}, 1, 1))
    made.documents.put(Document("r/1/e/other", {"k": 7}, 1, 1))
    return made


def equal(name: str, value: object) -> FieldFilter:
    return FieldFilter((name,), Operator.EQUAL, value)


def above(value: object) -> FieldFilter:
    return FieldFilter(("k",), Operator.GREATER_THAN, value)


def reference(path: str) -> Reference:
    return Reference(f"{DATABASE}/documents/{path}")


@pytest.mark.parametrize(
    ("query", "count", "most_read"),
    [
        (Query("", "c", where=equal("k", 77)), 1, 1),
        (Query("", "c", where=Composite("and", (equal("even", True), equal("k", 78)))), 1, 1),
        (Query("", "c", where=above(989)), 10, 10),
        (Query("", "c", where=above(10), limit=5), 5, 5),
        (Query("", "c", where=FieldFilter(("l",), Operator.ARRAY_CONTAINS, 3)), 20, 20),
        (Query("", "c", where=FieldFilter(("k",), Operator.IN, [3, 1, 5000])), 2, 2),
        (Query("", "c", where=Composite("or", (equal("k", 1), above(997)))), 3, 3),
        (Query("", "c", order_by=(Order(("k",), descending=True),), limit=3), 3, 3),
        (Query("", "c", order_by=(Order(("m", "n")),), offset=2, limit=3), 5, 5),
        (Query("", "c", limit=4), 4, 4),
        (Query("", "c", where=equal("even", True), order_by=(K,), limit=10), 10, 25),
        (Query("", "c", order_by=(K,), start=Cursor((500,), before=False), limit=2), 2, 3),
        (Query("", "c", where=equal("absent", 1)), 0, 0),
        (Query("", "c", descendants=True, where=equal("k", 7)), 2, 2),
        (
            Query(
                "",
                "c",
                order_by=(Order(NAME),),
                start=Cursor((reference("c/d0900"),), before=False),
                limit=2,
            ),
            2,
            3,
        ),
        (Query("", "c", where=FieldFilter(NAME, Operator.EQUAL, reference("c/none"))), 1, 1),
    ],
)
def test_no_more_is_read_than_the_result_needs(database, query, count, most_read):
    view = Counting(database.documents)
    assert len(find(query, view, database.indexes)) == count
    assert view.read <= most_read


def paths(database: Database, query: Query) -> list[str]:
    return [document.path for document in run_query(database, query).documents]


def test_a_document_without_the_field_of_an_order_is_not_in_the_result(database):
    assert "c/none" in paths(database, Query("", "c"))
    assert "c/none" not in paths(database, Query("", "c", order_by=(K,)))


def test_an_or_demands_the_fields_of_its_inequalities_of_all_documents(database):
    absent = FieldFilter(("absent",), Operator.GREATER_THAN, 1)
    assert paths(database, Query("", "c", where=Composite("or", (absent, equal("k", 1))))) == []


def test_offset_and_limit_cut_and_what_the_offset_left_out_is_counted(database):
    result = run_query(database, Query("", "c", where=above(990), offset=2, limit=3))
    assert [document.fields["k"] for document in result.documents] == [993, 994, 995]
    assert result.skipped == 2
    beyond = run_query(database, Query("", "c", where=above(990), offset=20))
    assert (beyond.documents, beyond.skipped) == ([], 9)
    assert run_query(database, Query("", "c", limit=0)).documents == []


@pytest.mark.parametrize("cut", ["offset", "limit"])
def test_a_negative_offset_or_limit_is_refused(database, cut):
    with pytest.raises(Refusal, match=f"{cut} is negative"):
        run_query(database, Query("", "c", **{cut: -1}))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query("", "c", descendants=True, where=above(998)), ["c/d0999"]),
        (Query("r/1", "c"), ["r/1/c/inner"]),
        (Query("r/1", None), ["r/1/c/inner", "r/1/e/other"]),
        (Query("r/1", None, descendants=True), ["r/1/c/inner", "r/1/e/other"]),
        (Query("r/1", "e", descendants=True), ["r/1/e/other"]),
        (Query("r", "c"), []),
        (Query("", "c", where=FieldFilter(NAME, Operator.EQUAL, reference("r/1/c/inner"))), []),
    ],
)
def test_only_collections_in_scope_are_searched(database, query, expected):
    assert paths(database, query) == expected


@pytest.mark.parametrize(
    ("select", "fields"),
    [
        (None, {"k": 1, "even": False, "l": [1], "m": {"n": -1}}),
        ((NAME,), {}),
        ((), {}),
        ((("k",), NAME, ("gone",)), {"k": 1}),
        ((("m", "n"), ("l", "x")), {"m": {"n": -1}}),
        ((("m", "gone"),), {}),
        ((("m", "n"), ("m",)), {"m": {"n": -1}}),
    ],
)
def test_a_selection_shows_the_fields_it_names(database, select, fields):
    (found,) = run_query(database, Query("", "c", where=equal("k", 1), select=select)).documents
    assert found.fields == fields


def test_a_snapshot_answers_as_of_its_moment():
    database = Database(DATABASE, lambda: 0, Random(0))
    database.documents.put(Document("c/a", {"k": 1}, 1, 1))
    query = Query("", "c", where=equal("k", 1))
    assert paths(database, query) == ["c/a"]
    snapshot = database.documents.snapshot()
    database.documents.put(Document("c/b", {"k": 1}, 1, 1))
    database.documents.remove("c/a")
    assert paths(database, query) == ["c/b"]
    earlier = run_query(database, query, snapshot=snapshot).documents
    assert [document.path for document in earlier] == ["c/a"]


def test_matching_looks_at_scope_filter_order_and_cursors_but_not_at_the_limit():
    query = Query("", "c", where=above(1), end=Cursor((5,), before=True), order_by=(K,), limit=0)
    matches = matcher(query)
    assert matches(Document("c/a", {"k": 2}, 1, 1))
    assert not matches(Document("d/a", {"k": 2}, 1, 1))
    assert not matches(Document("c/a", {"k": 1}, 1, 1))
    assert not matches(Document("c/a", {"k": 5}, 1, 1))
    assert not matches(Document("c/a", {}, 1, 1))
