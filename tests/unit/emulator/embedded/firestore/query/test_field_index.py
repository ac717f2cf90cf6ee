"""Field indexes answer from sorted entries and follow every change."""

from __future__ import annotations

import pytest

from emulator.embedded.firestore.documents import Documents
from emulator.embedded.firestore.model import Document, FieldFilter, Operator
from emulator.embedded.firestore.query import field_index as module
from emulator.embedded.firestore.query.field_index import FieldIndex, FieldIndexes, Scope
from emulator.embedded.firestore.query.sort_keys import KeyRange, range_of
from emulator.embedded.firestore.values import order_key

HERE = Scope("c", group=False)


@pytest.fixture
def documents() -> Documents:
    stored = Documents()
    for name, value in [("b", 2), ("a", 2.0), ("d", "s"), ("c", None), ("e", [1, 2, 1])]:
        stored.put(Document(f"c/{name}", {"x": value}, 0, 0))
    stored.put(Document("c/f", {}, 0, 0))
    stored.put(Document("r/1/c/z", {"x": 2}, 0, 0))
    return stored


def names(index: FieldIndex, places: range) -> list[str]:
    return [path.removeprefix("c/") for path in index.paths(places)]


def test_equal_values_are_found_in_name_order(documents):
    index = FieldIndexes(documents).by_value(HERE, ("x",))
    assert names(index, index.equal(order_key(2))) == ["a", "b"]
    assert names(index, index.equal(order_key(7))) == []


def test_all_values_are_in_order_and_documents_without_the_field_are_not_there(documents):
    index = FieldIndexes(documents).by_value(HERE, ("x",))
    assert names(index, index.within(KeyRange())) == [*"cabde"]


def test_a_group_has_the_documents_of_all_its_collections(documents):
    index = FieldIndexes(documents).by_value(Scope("c", group=True), ("x",))
    assert names(index, index.equal(order_key(2))) == ["a", "b", "r/1/c/z"]


def test_an_element_that_is_there_twice_is_one_entry(documents):
    index = FieldIndexes(documents).by_element(HERE, ("x",))
    assert names(index, index.equal(order_key(1))) == ["e"]
    assert names(index, index.within(KeyRange())) == ["e", "e"]


def test_an_index_follows_what_is_written_later(documents):
    index = FieldIndexes(documents).by_value(HERE, ("x",))
    documents.put(Document("c/a", {"x": 1}, 0, 0))
    documents.put(Document("c/f", {"x": 3}, 0, 0))
    documents.put(Document("c/g", {"x": 1}, 0, 0))
    documents.remove("c/d")
    documents.put(Document("c/c", {}, 0, 0))
    assert names(index, index.within(KeyRange())) == [*"agbfe"]
    documents.clear()
    assert names(index, index.within(KeyRange())) == []


def test_a_range_has_the_bounds_of_its_filter(documents):
    index = FieldIndexes(documents).by_value(HERE, ("x",))

    def within(operator: Operator, value: object) -> list[str]:
        return names(index, index.within(range_of(FieldFilter(("x",), operator, value))))

    assert within(Operator.LESS_THAN, 2) == []
    assert within(Operator.LESS_THAN_OR_EQUAL, 2) == ["a", "b"]
    assert within(Operator.GREATER_THAN, 1) == ["a", "b"]
    assert within(Operator.NOT_EQUAL, 2) == [*"abde"]
    assert within(Operator.LESS_THAN, float("nan")) == []


def test_ranges_meet_in_what_both_allow():
    one = KeyRange((1,), (5,), low_included=False)
    assert one & KeyRange((1,), (4,), high_included=True) == KeyRange(
        (1,), (4,), low_included=False, high_included=True
    )
    assert one & KeyRange() == one
    assert KeyRange() & one == one


def test_the_same_index_is_used_again(documents):
    indexes = FieldIndexes(documents)
    assert indexes.by_value(HERE, ("x",)) is indexes.by_value(HERE, ("x",))


def test_what_was_not_used_for_longest_is_forgotten(documents, monkeypatch):
    monkeypatch.setattr(module, "MOST_FIELDS", 2)
    monkeypatch.setattr(module, "MOST_SCOPES", 2)
    indexes = FieldIndexes(documents)
    kept, dropped = indexes.by_value(HERE, ("x",)), indexes.by_value(HERE, ("y",))
    indexes.by_value(HERE, ("x",))
    indexes.by_value(HERE, ("z",))
    assert indexes.by_value(HERE, ("x",)) is kept
    assert indexes.by_value(HERE, ("y",)) is not dropped
    for name in "de":
        indexes.by_value(Scope(name, group=False), ("x",))
    anew = indexes.by_value(HERE, ("x",))
    assert anew is not kept
    assert names(anew, anew.within(KeyRange())) == [*"cabde"]


def test_indexes_that_were_cleared_are_built_again(documents):
    indexes = FieldIndexes(documents)
    indexes.by_value(HERE, ("x",))
    indexes.clear()
    documents.remove("c/a")
    index = indexes.by_value(HERE, ("x",))
    assert names(index, index.within(KeyRange())) == [*"cbde"]
