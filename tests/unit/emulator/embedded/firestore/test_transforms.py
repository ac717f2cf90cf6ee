"""What each transform makes of what is stored, checked against Google's emulator."""

from __future__ import annotations

import math

import pytest

from emulator.embedded.firestore.model import Elements, Numeric, ServerTime
from emulator.embedded.firestore.transforms import check_transforms, transformed
from emulator.embedded.firestore.values import Timestamp, Vector, identical
from emulator.embedded.refusal import Refusal

HIGHEST, LOWEST = 2**63 - 1, -(2**63)
ABSENT = object()


def after(transform, stored=ABSENT):
    fields, _ = transformed({} if stored is ABSENT else {"v": stored}, [transform], 0)
    return fields["v"]


def numeric(operation, operand):
    return Numeric(("v",), operation, operand)


@pytest.mark.parametrize(
    ("stored", "operand", "expected"),
    [
        (1, 2, 3),
        (1, 0.5, 1.5),
        (0.5, 1, 1.5),
        (HIGHEST, 1, HIGHEST),
        (LOWEST, -1, LOWEST),
        (HIGHEST - 1, 5, HIGHEST),
        (HIGHEST, 1.0, 2.0**63),
        (1e308, 1e308, math.inf),
        (-0.0, 0, 0.0),
        (math.nan, 1, math.nan),
        ("s", 3, 3),
        (None, 3, 3),
        (True, 3, 3),
        (ABSENT, -0.0, -0.0),
    ],
)
def test_increment_saturates_integers_and_promotes_to_double(stored, operand, expected) -> None:
    assert identical(after(numeric("increment", operand), stored), expected)


@pytest.mark.parametrize(
    ("stored", "operand", "greatest", "least"),
    [
        (3, 3.0, 3, 3),
        (3.0, 3, 3.0, 3.0),
        (3, 4.0, 4.0, 3),
        (3.0, 4, 4, 3.0),
        (0, -0.0, 0, 0),
        (-0.0, 0, -0.0, -0.0),
        (0.0, -0.0, 0.0, 0.0),
        (math.nan, 5, math.nan, math.nan),
        (5, math.nan, math.nan, math.nan),
        (HIGHEST, 2.0**63, 2.0**63, HIGHEST),
        ("s", 5, 5, 5),
        (ABSENT, 5, 5, 5),
    ],
)
def test_an_extreme_keeps_its_type_and_of_equals_the_stored_one(
    stored, operand, greatest, least
) -> None:
    assert identical(after(numeric("maximum", operand), stored), greatest)
    assert identical(after(numeric("minimum", operand), stored), least)


@pytest.mark.parametrize(
    ("stored", "values", "expected"),
    [
        ([1, 2], (2.0, 3, 3.0, None, None, math.nan, math.nan), [1, 2, 3, None, math.nan]),
        ([math.nan, -0.0], (math.nan, 0, 0.0), [math.nan, -0.0]),
        ("s", (1,), [1]),
        (ABSENT, (1, 1), [1]),
        ([{"a": 1}], ({"a": 1.0},), [{"a": 1}]),
        ([1], (), [1]),
    ],
)
def test_append_missing_adds_what_equals_nothing_there(stored, values, expected) -> None:
    assert identical(after(Elements(("v",), "append_missing", values), stored), expected)


@pytest.mark.parametrize(
    ("stored", "values", "expected"),
    [
        ([1, 1.0, 2, math.nan, None, -0.0], (1, math.nan, 0), [2, None]),
        ("s", (1,), []),
        (ABSENT, (1,), []),
        ([1], (), [1]),
    ],
)
def test_remove_all_takes_out_all_that_equal(stored, values, expected) -> None:
    assert identical(after(Elements(("v",), "remove_all", values), stored), expected)


def test_a_server_time_has_milliseconds_and_is_the_same_everywhere() -> None:
    fields, results = transformed({}, [ServerTime(("a",)), ServerTime(("b", "c"))], 1_234_567)
    assert fields == {"a": Timestamp(1_234_000), "b": {"c": Timestamp(1_234_000)}}
    assert results == (Timestamp(1_234_000), Timestamp(1_234_000))


def test_results_are_new_numbers_and_null_for_arrays_in_order() -> None:
    transforms = [
        Elements(("v",), "append_missing", (2,)),
        Numeric(("n",), "increment", 1),
        Numeric(("n",), "increment", 1),
    ]
    fields, results = transformed({"v": [1]}, transforms, 0)
    assert fields == {"v": [1, 2], "n": 2}
    assert results == (None, 1, 2)


def test_the_stored_fields_are_not_touched() -> None:
    stored = {"m": {"v": [1]}}
    transformed(stored, [Elements(("m", "v"), "append_missing", (2,))], 0)
    assert stored == {"m": {"v": [1]}}


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        (
            [Numeric(("p",), "increment", 1), Numeric(("p", "q"), "increment", 1)],
            "Cannot transform property p and its nested property at the same time.",
        ),
        ([ServerTime(("__x__",))], "Invalid reserved name in field path __x__"),
        ([ServerTime(("__name__",))], "Invalid reserved name in field path __name__"),
        (
            [ServerTime(tuple("abcdefghijklmnopqrstuv"))],
            "Property a contains an invalid nested entity.",
        ),
        (
            [Elements(("v",), "append_missing", ([1],))],
            "Cannot convert an array value in an array value.",
        ),
        (
            [Elements(("v",), "remove_all", (Vector((1.0,)),))],
            "Cannot convert a vector value in an array value.",
        ),
        ([Elements(("v",), "append_missing", ({"__a__": 1},))], "field name '__a__' is reserved."),
        ([Numeric(("v",), "increment", True)], "Input must be int64 or double."),
    ],
)
def test_some_transforms_are_refused(transforms, message) -> None:
    with pytest.raises(Refusal) as refused:
        check_transforms(transforms)
    assert refused.value.message == message


def test_the_same_field_may_be_transformed_twice() -> None:
    check_transforms([Numeric(("p",), "increment", 1), Numeric(("p",), "increment", 1)])
