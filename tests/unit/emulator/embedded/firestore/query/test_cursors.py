"""Where cursors start and end a result."""

from __future__ import annotations

import pytest

from emulator.embedded.firestore.model import NAME, Cursor, Document, Order, Query
from emulator.embedded.firestore.query.cursors import window
from emulator.embedded.firestore.query.ordering import place
from emulator.embedded.firestore.query.query_rules import check_query
from emulator.embedded.firestore.values import Reference
from emulator.embedded.refusal import Refusal

DATABASE = "projects/p/databases/d"
STORED = [
    Document(f"c/{name}", {"x": x, "y": y}, 0, 0)
    for name, x, y in [("a", 1, 1), ("b", 2, 1), ("c", 2, 2), ("d", 3, None)]
]
X, Y, DOWN = Order(("x",)), Order(("y",)), Order(("x",), descending=True)


def reference(path: str) -> Reference:
    return Reference(f"{DATABASE}/documents/{path}")


def inside(*order: Order, start: Cursor | None = None, end: Cursor | None = None) -> str:
    query = Query("", "c", order_by=order, start=start, end=end)
    check_query(query, DATABASE)
    within = window(query)
    places = [(each.path[2:], place(each, within.order)) for each in STORED]
    return "".join(name for name, where in places if where is not None and where in within)


def before(*values: object) -> Cursor:
    return Cursor(values, before=True)


def after(*values: object) -> Cursor:
    return Cursor(values, before=False)


def test_start_at_and_end_at_include_what_is_level_and_after_and_before_do_not():
    assert inside(X, start=before(2)) == "bcd"
    assert inside(X, start=after(2)) == "d"
    assert inside(X, end=before(2)) == "a"
    assert inside(X, end=after(2)) == "abc"
    assert inside(X, start=before(2), end=after(2)) == "bc"


def test_a_prefix_stands_for_all_that_start_with_it():
    assert inside(X, Y, start=before(2)) == "bcd"
    assert inside(X, Y, start=after(2)) == "d"
    assert inside(X, Y, start=after(2, 1)) == "cd"


def test_a_descending_order_turns_the_cursors_round():
    assert inside(DOWN, start=after(2)) == "a"
    assert inside(DOWN, end=after(2)) == "bcd"


def test_names_are_positions_given_as_references():
    assert inside(Order(NAME), start=after(reference("c/b"))) == "cd"
    assert inside(X, Order(NAME), start=after(2, reference("c/b"))) == "cd"
    assert inside(Order(NAME), start=before(reference("d/a"))) == ""


def test_a_value_of_another_type_is_a_position_too():
    assert inside(X, start=before("a")) == ""
    assert inside(X, start=before(None)) == "abcd"
    assert inside(Y, start=after(None)) == "abc"


def test_a_cursor_without_values_is_level_with_everything():
    assert inside(X, start=before()) == "abcd"
    assert inside(X, start=after()) == ""
    assert inside(X, end=before()) == ""


@pytest.mark.parametrize(
    ("order", "values", "message"),
    [
        ((X,), (1, reference("c/a")), "Cursor has too many values."),
        ((), (reference("c/a"),), "Cursor has too many values."),
        ((Order(NAME),), ("a",), "Cursor __key__ value is not a document reference."),
        (
            (Order(NAME),),
            (Reference("projects/q/databases/d/documents/c/a"),),
            "The cursor key is in a different database than the query",
        ),
        (
            (Order(NAME),),
            (reference("c"),),
            f'Document parent name "{DATABASE}/documents/c" lacks "/" at index 34.',
        ),
    ],
)
def test_a_cursor_that_is_not_allowed_is_refused_in_productions_words(order, values, message):
    with pytest.raises(Refusal) as caught:
        inside(*order, start=before(*values))
    assert caught.value.message == message
