"""Vector searches: order, distances, what is left out and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest

from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.model import (
    Cursor,
    Document,
    FieldFilter,
    FindNearest,
    Operator,
    Query,
)
from emulator.embedded.firestore.run_query import run_query
from emulator.embedded.firestore.values import Vector
from emulator.embedded.refusal import Refusal, Status

NEAREST = FindNearest(("v",), (1.0, 0.0), "EUCLIDEAN", 10, distance_field="far")


@pytest.fixture(scope="module")
def database() -> Database:
    made = Database("projects/p/databases/d", lambda: 0, Random(0))
    stored = {
        "b": Vector((0.0, 2.0)),
        "a": Vector((3.0, 0.0)),
        "c": Vector((1.0, 0.0)),
        "same": Vector((1.0, 0.0)),
        "wider": Vector((1.0, 0.0, 0.0)),
        "list": [1.0, 0.0],
        "text": "no",
    }
    for name, value in stored.items():
        made.documents.put(Document(f"c/{name}", {"v": value, "m": {"v": value}, "n": name}, 1, 1))
    made.documents.put(Document("c/none", {}, 1, 1))
    return made


def search(database: Database, nearest: FindNearest, **query) -> dict[str, object]:
    found = run_query(database, Query("", "c", nearest=nearest, **query)).documents
    return {document.path[2:]: document.fields.get("far") for document in found}


def test_euclidean_distances_rise_and_ties_are_in_name_order(database):
    found = search(database, NEAREST)
    assert list(found) == ["c", "same", "a", "b"]
    assert found == {"c": 0.0, "same": 0.0, "a": 2.0, "b": math.sqrt(5)}


def test_cosine_distances_do_not_depend_on_length(database):
    found = search(database, replace(NEAREST, measure="COSINE"))
    assert found == {"a": 0.0, "c": 0.0, "same": 0.0, "b": 1.0}
    assert list(found) == ["a", "c", "same", "b"]


def test_dot_products_fall(database):
    found = search(database, replace(NEAREST, measure="DOT_PRODUCT"))
    assert list(found.items()) == [("a", 3.0), ("c", 1.0), ("same", 1.0), ("b", 0.0)]


def test_a_threshold_is_included_and_turned_round_for_dot_products(database):
    assert list(search(database, replace(NEAREST, threshold=2.0))) == ["c", "same", "a"]
    dot = replace(NEAREST, measure="DOT_PRODUCT", threshold=1.0)
    assert list(search(database, dot)) == ["a", "c", "same"]


def test_a_limit_filters_and_a_nested_field_apply(database):
    assert list(search(database, replace(NEAREST, limit=1))) == ["c"]
    assert list(search(database, replace(NEAREST, field=("m", "v"), limit=2))) == ["c", "same"]
    beyond = FieldFilter(("n",), Operator.GREATER_THAN, "c")
    assert list(search(database, NEAREST, where=beyond)) == ["same"]


def test_documents_with_no_vector_of_that_dimension_are_not_found(database):
    assert search(database, replace(NEAREST, query=(1.0, 1.0, 1.0, 1.0))) == {}
    assert list(search(database, replace(NEAREST, query=(1.0, 0.0, 0.0)))) == ["wider"]


def test_the_distance_takes_the_place_of_a_field_and_has_to_be_selected(database):
    nearest = replace(NEAREST, limit=1, distance_field="n")
    (found,) = run_query(database, Query("", "c", nearest=nearest)).documents
    assert found.fields["n"] == 0.0
    selected = Query("", "c", nearest=replace(NEAREST, limit=1), select=(("n",),))
    assert [each.fields for each in run_query(database, selected).documents] == [{"n": "c"}]
    selected = replace(selected, select=(("n",), ("far",)))
    assert run_query(database, selected).documents[0].fields == {"n": "c", "far": 0.0}


def test_the_stored_document_does_not_get_the_distance(database):
    search(database, NEAREST)
    stored = database.documents.get("c/c")
    assert stored is not None
    assert "far" not in stored.fields


@pytest.mark.parametrize(
    ("nearest", "query", "message"),
    [
        (replace(NEAREST, query=()), {}, "Cannot have a zero length vector."),
        (replace(NEAREST, query=(0.0,) * 2049), {}, "Vectors must be at most 2048 dimensions."),
        *(
            (
                replace(NEAREST, limit=limit),
                {},
                "FindNearest.limit must be a positive integer of no more than 1000",
            )
            for limit in (0, -1, 1001)
        ),
        (replace(NEAREST, measure="NONE"), {}, "Unknown Distance Measure."),
        (
            replace(NEAREST, threshold=math.nan),
            {},
            "distanceThreshold must be a finite number.",
        ),
        (
            replace(NEAREST, distance_field="__name__"),
            {},
            'The distanceResultField.property.name "__name__" is reserved.',
        ),
        (NEAREST, {"limit": 1}, "A query limit cannot be used with FindNearest"),
        (NEAREST, {"offset": 1}, "A query offset cannot be used with FindNearest"),
        (
            NEAREST,
            {"start": Cursor((), before=True)},
            "A cursor cannot be used with FindNearest",
        ),
    ],
)
def test_what_is_not_allowed_is_refused_in_productions_words(database, nearest, query, message):
    with pytest.raises(Refusal) as caught:
        search(database, nearest, **query)
    assert caught.value.message == message


def test_the_cosine_of_a_zero_vector_is_refused(database):
    with pytest.raises(Refusal, match="magnitude of zero") as caught:
        search(database, replace(NEAREST, measure="COSINE", query=(0.0, 0.0)))
    assert caught.value.status is Status.FAILED_PRECONDITION
