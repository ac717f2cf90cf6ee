"""Whatever way a query is answered, the result is that of filtering, sorting and cutting all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cmp_to_key
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.embedded.firestore.database import Database
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
from emulator.embedded.firestore.query import access_paths
from emulator.embedded.firestore.query.access_paths import in_scope
from emulator.embedded.firestore.query.cursors import window
from emulator.embedded.firestore.query.filters import predicate
from emulator.embedded.firestore.query.ordering import compare, place
from emulator.embedded.firestore.query.planner import matcher
from emulator.embedded.firestore.run_query import run_query
from emulator.embedded.firestore.values import Reference
from emulator.embedded.refusal import Refusal

DATABASE = "projects/p/databases/d"
FIELDS = [("a",), ("b",), ("m", "x")]
NAN = float("nan")

scalars = st.sampled_from([None, False, True, NAN, -1, 0, 1, 1.0, 1.5, 2, "", "s", "t", b"x"])
values = st.one_of(scalars, scalars, st.lists(scalars, max_size=3))
paths = st.sampled_from(
    [f"c/{name}" for name in "pqrstuvw"]
    + ["c/__id2__", "c/p/c/x", "c/p/d/y", "d/p/c/z", "d/q/c/p", "e/p"]
)
fields = st.fixed_dictionaries(
    {}, optional={"a": values, "b": values, "m": st.fixed_dictionaries({}, optional={"x": values})}
)
documents = st.builds(Document, paths, fields, st.just(1), st.just(1))
references = paths.map(lambda path: Reference(f"{DATABASE}/documents/{path}"))


@st.composite
def filters(draw):
    if draw(st.integers(0, 5)) == 0:
        ranges = [Operator.EQUAL, Operator.GREATER_THAN, Operator.LESS_THAN_OR_EQUAL]
        return FieldFilter(NAME, draw(st.sampled_from(ranges)), draw(references))
    operator = draw(st.sampled_from(Operator))
    if operator in {Operator.IN, Operator.NOT_IN, Operator.ARRAY_CONTAINS_ANY}:
        operand = draw(st.lists(values, min_size=1, max_size=4))
    else:
        operand = None if operator.value > 100 else draw(values)
    return FieldFilter(draw(st.sampled_from(FIELDS)), operator, operand)


trees = st.recursive(
    filters(),
    lambda inner: st.builds(
        Composite,
        st.sampled_from(["and", "or"]),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
    ),
    max_leaves=4,
)
orders = st.lists(
    st.builds(Order, st.sampled_from([*FIELDS, NAME]), st.booleans()),
    max_size=3,
    unique_by=lambda one: one.field,
).map(tuple)


@st.composite
def cursors(draw, order):
    length = draw(st.integers(0, len(order)))
    operands = [draw(references if one.field == NAME else values) for one in order[:length]]
    return Cursor(tuple(operands), draw(st.booleans()))


@st.composite
def queries(draw):
    order = draw(orders)
    return Query(
        parent=draw(st.sampled_from(["", "", "", "c/p", "d/q"])),
        collection="c",
        descendants=draw(st.booleans()),
        where=draw(st.none() | trees),
        order_by=order,
        start=draw(st.none() | cursors(order)),
        end=draw(st.none() | cursors(order)),
        offset=draw(st.integers(0, 2)),
        limit=draw(st.none() | st.integers(0, 4)),
    )


@pytest.fixture(autouse=True, scope="module")
def _indexes_also_of_small_collections() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access_paths, "SMALL_COLLECTION", 0)
        yield


def _expected(query: Query, stored: dict[str, Document]) -> list[str]:
    test, within = predicate(query.where), window(query)
    found = [
        (where, document.path)
        for document in stored.values()
        if in_scope(query, document.path)
        and test(document)
        and (where := place(document, within.order)) is not None
        and where in within
    ]
    found.sort(key=cmp_to_key(lambda left, right: compare(left[0], right[0], within.order)))
    end = None if query.limit is None else query.offset + query.limit
    return [path for _, path in found][query.offset : end]


@settings(max_examples=100)
@given(st.lists(documents), st.lists(st.tuples(queries(), documents, paths), max_size=4))
def test_an_indexed_query_finds_what_looking_at_all_documents_finds(first, rounds):
    database = Database(DATABASE, lambda: 0, Random(0))
    stored = {}
    for document in first:
        database.documents.put(document)
        stored[document.path] = document
    for query, added, removed in rounds:
        try:
            found = [document.path for document in run_query(database, query).documents]
            earlier = run_query(database, query, snapshot=database.documents.snapshot())
        except Refusal:
            found = None
        if found is not None:
            assert found == _expected(query, stored)
            assert [document.path for document in earlier.documents] == found
        database.documents.put(added)
        database.documents.remove(removed)
        stored[added.path] = added
        stored.pop(removed, None)


@settings(max_examples=50)
@given(st.lists(documents), queries())
def test_matching_one_document_agrees_with_the_result_of_the_query(stored, query):
    database = Database(DATABASE, lambda: 0, Random(0))
    for document in stored:
        database.documents.put(document)
    unlimited = Query(
        query.parent,
        query.collection,
        query.descendants,
        query.where,
        query.order_by,
        query.start,
        query.end,
    )
    try:
        found = {document.path for document in run_query(database, unlimited).documents}
    except Refusal:
        return
    matches = matcher(unlimited)
    assert found == {document.path for document in database.documents if matches(document)}
