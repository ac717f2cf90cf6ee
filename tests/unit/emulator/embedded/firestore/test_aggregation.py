"""Counts, sums and averages as Firestore computes them."""

from __future__ import annotations

import math
from random import Random

import pytest

from emulator.embedded.firestore.aggregation import aggregate
from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.model import (
    NAME,
    Aggregation,
    Document,
    FieldFilter,
    FindNearest,
    Operator,
    Order,
    Query,
)
from emulator.embedded.firestore.values import Value, Vector
from emulator.embedded.refusal import Refusal

ALL = Query("", "c")
BIGGEST = (1 << 63) - 1


def database(*values: object) -> Database:
    made = Database("projects/p/databases/d", lambda: 0, Random(0))
    for number, value in enumerate(values):
        made.documents.put(Document(f"c/{number}", {"x": value, "n": number}, 1, 1))
    made.documents.put(Document("c/without", {"n": 100}, 1, 1))
    return made


def total(*values: object) -> Value:
    return aggregate(database(*values), ALL, [Aggregation("s", "sum", ("x",))])["s"]


def average(*values: object) -> Value:
    return aggregate(database(*values), ALL, [Aggregation("a", "avg", ("x",))])["a"]


def count(query: Query = ALL, up_to: int | None = None) -> Value:
    return aggregate(database(1, 2, "s"), query, [Aggregation("c", "count", up_to=up_to)])["c"]


def message_of(*aggregations: Aggregation) -> str:
    with pytest.raises(Refusal) as caught:
        aggregate(database(), ALL, aggregations)
    return caught.value.message


def test_a_count_has_all_documents_that_are_found():
    assert count() == 4
    assert count(Query("", "c", order_by=(Order(("x",)),))) == 3
    assert count(Query("", "c", where=FieldFilter(("x",), Operator.GREATER_THAN, 1))) == 1
    assert count(Query("", "c", offset=3)) == 1
    assert count(Query("", "c", offset=9)) == 0
    assert count(Query("", "gone")) == 0


def test_a_count_stops_where_it_is_told_to():
    assert (count(up_to=2), count(up_to=9), count(up_to=0)) == (2, 4, 0)
    assert count(Query("", "c", limit=1), up_to=2) == 1
    assert count(Query("", "c", offset=3), up_to=2) == 1


def test_a_sum_is_whole_while_all_numbers_are_and_skips_what_is_none():
    assert total(1, 2, "s", None, True) == 3
    assert isinstance(total(1, 2), int)
    assert isinstance(total(1, 2.0), float)
    assert total() == 0


def test_a_sum_beyond_int64_becomes_a_double():
    assert total(BIGGEST, 1) == 2.0**63
    assert isinstance(total(BIGGEST, 1), float)
    assert total(BIGGEST, 1, -5) == BIGGEST - 4


def test_sums_and_averages_follow_ieee_754():
    assert math.isnan(total(1, math.nan))
    assert math.isnan(total(math.inf, -math.inf))
    assert total(math.inf, 1) == math.inf
    assert total(1e308, 1e308) == math.inf
    assert math.isnan(average(math.nan, 1))


def test_an_average_is_a_double_or_null_where_there_is_no_number():
    assert average(1, 2, 4, "s") == 7 / 3
    assert isinstance(average(2, 2), float)
    assert average("s", None) is None
    assert average() is None


def test_all_aggregations_look_only_at_documents_with_every_field_they_use():
    made = database(1, 2, "s")
    wanted = [Aggregation("c", "count"), Aggregation("s", "sum", ("x",))]
    assert aggregate(made, ALL, wanted) == {"c": 3, "s": 3}
    first = Query("", "c", order_by=(Order(("n",), descending=True),), limit=2)
    assert aggregate(made, first, wanted) == {"c": 2, "s": 2}


def test_aggregations_without_an_alias_are_numbered():
    wanted = [Aggregation("", "count"), Aggregation("s", "sum", ("n",)), Aggregation("", "count")]
    assert aggregate(database(), ALL, wanted) == {"field_1": 1, "s": 100, "field_2": 1}


def test_the_nearest_documents_can_be_counted():
    made = database(Vector((1.0,)), Vector((2.0,)), Vector((3.0,)))
    query = Query("", "c", nearest=FindNearest(("x",), (1.0,), "EUCLIDEAN", 2))
    wanted = [Aggregation("c", "count"), Aggregation("s", "sum", ("n",))]
    assert aggregate(made, query, wanted) == {"c": 2, "s": 1}


def test_what_is_not_allowed_is_refused_in_productions_words():
    one = Aggregation("a", "count")
    assert message_of() == "Aggregations can not be empty."
    assert message_of(*[one] * 6) == (
        "The maximum number of aggregations allowed in an aggregation query is 5. Received: 6"
    )
    assert message_of(one, one) == "Aggregation aliases contain duplicate alias: a."
    assert message_of(Aggregation("", "count"), Aggregation("field_1", "count")) == (
        "Aggregation aliases contain duplicate alias: field_1."
    )
    assert message_of(Aggregation("__x__", "count")) == 'The property.name "__x__" is reserved.'
    assert message_of(Aggregation("a" * 1501, "count")) == (
        "The property.name is longer than 1500 bytes."
    )
    assert message_of(Aggregation("a", "sum", NAME)) == (
        "Aggregations are not supported for the property: __key__"
    )
    assert message_of(Aggregation("a", "count", up_to=-1)) == (
        "The `up_to` value in a COUNT aggregation must be greater than or equal to zero."
    )
