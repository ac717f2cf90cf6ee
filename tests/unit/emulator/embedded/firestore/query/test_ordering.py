"""The order of results, implied parts included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from emulator.embedded.firestore.model import (
    NAME,
    Composite,
    Document,
    FieldFilter,
    Operator,
    Order,
    Query,
)
from emulator.embedded.firestore.query.ordering import compare, full_order, place, sort_places
from emulator.embedded.firestore.query.query_rules import check_query
from emulator.embedded.refusal import Refusal

DATABASE = "projects/p/databases/d"


def above(*names: str) -> Composite:
    filters = (FieldFilter((name,), Operator.GREATER_THAN, 0) for name in names)
    return Composite("and", tuple(filters))


def order_of(query: Query) -> list[tuple[str, bool]]:
    return [(".".join(one.field), one.descending) for one in full_order(query)]


def in_order(documents: Iterable[Document], order: Sequence[Order]) -> list[Document]:
    found = [(where, each) for each in documents if (where := place(each, order)) is not None]
    return sort_places(found, order)


def test_without_a_wish_the_order_is_by_name():
    assert order_of(Query("", "c")) == [("__name__", False)]


def test_fields_with_inequalities_follow_sorted_then_the_name():
    query = Query("", "c", where=above("z", "a"))
    assert order_of(query) == [("a", False), ("z", False), ("__name__", False)]


def test_what_is_implied_takes_the_last_direction_asked_for():
    asked = (Order(("b",)), Order(("z",), descending=True))
    query = Query("", "c", where=above("z", "a"), order_by=asked)
    expected = [("b", False), ("z", True), ("a", True), ("__name__", True)]
    assert order_of(query) == expected


def test_a_name_with_an_inequality_still_comes_last():
    named = FieldFilter(NAME, Operator.GREATER_THAN, None)
    query = Query("", "c", where=Composite("and", (named, above("z"))))
    assert order_of(query) == [("z", False), ("__name__", False)]


def test_directions_mix_and_ties_are_broken_by_name():
    order = (Order(("x",), descending=True), Order(("y",)), Order(NAME))
    stored = [
        Document(f"c/{name}", {"x": x, "y": y}, 0, 0)
        for name, x, y in [("a", 1, 2), ("b", 2, 2), ("c", 2, 1), ("d", 1, 2), ("e", "s", 0)]
    ]
    assert [each.path[2:] for each in in_order(reversed(stored), order)] == [*"ecbad"]


def test_a_document_that_lacks_a_field_of_the_order_is_not_in_the_result():
    stored = [Document("c/a", {}, 0, 0), Document("c/b", {"x": None}, 0, 0)]
    assert [each.path for each in in_order(stored, [Order(("x",))])] == ["c/b"]


def test_a_prefix_is_level_with_all_that_start_with_it():
    order = (Order(("x",), descending=True), Order(NAME, descending=True))
    where = place(Document("c/a", {"x": 5}, 0, 0), order)
    assert where is not None
    assert compare(where, where[:1], order) == 0
    assert compare(where, (), order) == 0
    assert compare(where, place(Document("c/b", {"x": 5.0}, 0, 0), order) or (), order) > 0


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            Query("", "c", order_by=(Order(("x",)), Order(("y",)), Order(("x",)))),
            "order by clause cannot contain duplicate fields x",
        ),
        (
            Query("", "c", order_by=(Order(NAME), Order(("x",)))),
            "order by clause cannot contain more fields after the key",
        ),
        (
            Query("", "c", where=above("z"), order_by=(Order(NAME),)),
            "order by clause cannot contain more fields after the key",
        ),
        (
            Query("", None, order_by=(Order(NAME, descending=True),)),
            "kind is required for all orders except __key__ ascending",
        ),
        (
            Query("r/1", "c", descendants=True, order_by=(Order(NAME, descending=True),)),
            (
                "collection group queries are only allowed if they're at the root or they're an "
                "ascending primary key scan"
            ),
        ),
    ],
)
def test_an_order_that_is_not_allowed_is_refused_in_productions_words(query, message):
    with pytest.raises(Refusal) as caught:
        check_query(query, DATABASE)
    assert caught.value.message == message
