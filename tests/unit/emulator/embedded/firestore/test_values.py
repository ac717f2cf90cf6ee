"""The order over all values, and when two are the same."""

from __future__ import annotations

import math

import pytest

from emulator.embedded.firestore.values import (
    GeoPoint,
    Reference,
    Timestamp,
    Vector,
    equal,
    identical,
    order_key,
    path_key,
)

ROOT = "projects/p/databases/d/documents/"
ASCENDING = [
    None,
    False,
    True,
    math.nan,
    -math.inf,
    -1.5,
    0,
    2**53,
    2**53 + 1,
    math.inf,
    Timestamp(-1),
    Timestamp(5),
    "",
    "A",
    "a",
    "é",
    "\uffee",
    "\U0001f600",  # after U+FFEE in UTF-8, before it in UTF-16
    b"",
    b"\x00",
    b"\xff",
    Reference(ROOT + "a/__id-2__"),
    Reference(ROOT + "a/__id9__"),
    Reference(ROOT + "a/__id10__"),
    Reference(ROOT + "a/b"),
    Reference(ROOT + "a/b/c/d"),
    Reference(ROOT + "a/b-"),
    GeoPoint(-1.0, 5.0),
    GeoPoint(-1.0, 6.0),
    GeoPoint(2.0, 0.0),
    [],
    [None],
    [None, 1],
    [1],
    Vector((9.0,)),
    Vector((1.0, 1.0)),
    Vector((1.0, 2.0)),
    {},
    {"a": 1},
    {"a": 1, "b": 0},
    {"a": 2},
    {"b": 0},
]


def test_all_types_have_their_place_in_the_order() -> None:
    keys = [order_key(value) for value in ASCENDING]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (0.0, -0.0),
        (math.nan, -math.nan),
        ([1], [1.0]),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}),
    ],
)
def test_equal_looks_through_the_kind_of_number_and_the_order_of_names(left, right) -> None:
    assert equal(left, right)


@pytest.mark.parametrize(
    ("left", "right"), [(1, True), (0, False), ("a", b"a"), ([], {}), (0, None)]
)
def test_different_types_are_never_equal(left, right) -> None:
    assert not equal(left, right)


def test_a_large_integer_is_not_rounded_to_compare_it_with_a_double() -> None:
    assert not equal(2**53 + 1, float(2**53))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (0.0, -0.0),
        (1, True),
        ([1], [1.0]),
        ([1], [1, 1]),
        ({"a": 1}, {"a": 1.0}),
        ({"a": None}, {"b": None}),
        (Vector((0.0,)), Vector((-0.0,))),
        (GeoPoint(0.0, 0.0), GeoPoint(-0.0, 0.0)),
    ],
)
def test_what_is_stored_differently_is_not_identical(left, right) -> None:
    assert not identical(left, right)


@pytest.mark.parametrize("value", ASCENDING)
def test_every_value_is_identical_to_itself_built_anew(value) -> None:
    assert identical([value], [type(value)(value) if isinstance(value, float) else value])


def test_nan_is_identical_to_nan() -> None:
    assert identical({"a": math.nan}, {"a": float("nan")})


def test_what_is_no_value_has_no_key() -> None:
    with pytest.raises(TypeError, match="no Firestore value: set"):
        order_key({1})


def test_documents_are_ordered_by_segment_and_not_by_character() -> None:
    ordered = ["a/__id7__", "a/\x00", "a/\x00b", "a/b", "a/b/c/d", "a/b\x00", "a/b!", "b/a"]
    shuffled = ordered[3:] + ordered[:3]
    assert sorted(shuffled, key=path_key) == ordered


@pytest.mark.parametrize(
    "name", ["__id07__", "__id--5__", "__id²__", "__id99999999999999999999__", "__id__"]
)
def test_an_id_that_only_looks_numeric_is_text(name) -> None:
    assert path_key(f"a/{name}") > path_key("a/__id5__")
    assert path_key(f"a/{name}") < path_key("a/a")
