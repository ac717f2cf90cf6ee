"""Values that no document may hold."""

from __future__ import annotations

import math

import pytest

from emulator.embedded.firestore.validation import MAX_VALUE_BYTES, check_fields
from emulator.embedded.firestore.values import GeoPoint, Reference, Timestamp, Vector
from emulator.embedded.refusal import Refusal, Status

ROOT = "projects/p/databases/d/documents/"
NESTED = "Property a contains an invalid nested entity."


def maps(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = {"m": value}
    return value


def maps_and_arrays(depth: int) -> object:
    value: object = 1
    for level in range(depth):
        value = {"m": value} if level % 2 else [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        [{"b": [1]}],
        maps(20),
        maps_and_arrays(20),
        Vector((0.0,) * 2048),
        GeoPoint(-90.0, 180.0),
        Reference(ROOT + "a/b/c/d"),
        Timestamp(-62_135_596_800_000_000),
        "x" * MAX_VALUE_BYTES,
        {"b": {"c.d": 1, "__a": 2}},
        {"a" * 1498: 1},
        b"\x00",
    ],
)
def test_these_can_be_stored(value) -> None:
    check_fields({"a": value})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1]], "Cannot convert an array value in an array value."),
        ([{"b": [()]}], "Cannot convert an array value in an array value."),
        ([Vector((1.0,))], "Cannot convert a vector value in an array value."),
        (maps(21), NESTED),
        (maps_and_arrays(21), NESTED),
        (Vector(()), "Cannot have a zero length vector."),
        (Vector((0.0,) * 2049), "Vectors must be at most 2048 dimensions."),
        (GeoPoint(91.0, 0.0), "Geo point latitude '91.0' outside permitted range -90.0 to 90.0."),
        (
            GeoPoint(0.0, -181.0),
            "Geo point longitude '-181.0' outside permitted range -180.0 to 180.0.",
        ),
        (
            GeoPoint(math.nan, 0.0),
            "Geo point latitude 'nan' outside permitted range -90.0 to 90.0.",
        ),
        (Timestamp(253_402_300_800_000_000), "Timestamp seconds exceeds limit for field."),
        (Reference("x"), 'Resource name "x" lacks "projects" at index 0.'),
        (
            Reference("projects/p/databases/d"),
            'Resource name "projects/p/databases/d" names no document.',
        ),
        (Reference(ROOT + "a"), f'Resource name "{ROOT}a" lacks "/" at index {len(ROOT) + 1}.'),
        (
            "x" * (MAX_VALUE_BYTES + 1),
            f'The value of property "a" is longer than {MAX_VALUE_BYTES} bytes.',
        ),
        (
            "é" * (MAX_VALUE_BYTES // 2 + 1),
            f'The value of property "a" is longer than {MAX_VALUE_BYTES} bytes.',
        ),
        (
            [b"x" * (MAX_VALUE_BYTES + 1)],
            f'The value of property "a" is longer than {MAX_VALUE_BYTES} bytes.',
        ),
        ({"b": "x" * (MAX_VALUE_BYTES + 1)}, NESTED),
        ({"": 1}, NESTED),
        ({"__b__": 1}, "field name '__b__' is reserved."),
        ({"a" * 1499: 1}, NESTED),
        ([{"a" * 1499: 1}], NESTED),
    ],
)
def test_these_are_refused_in_the_words_of_the_service(value, message) -> None:
    with pytest.raises(Refusal) as refused:
        check_fields({"a": value})
    assert (refused.value.status, refused.value.message) == (Status.INVALID_ARGUMENT, message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "The property.name is the empty string."),
        ("__a__", "field name __a__ is reserved"),
        ("a" * 1501, "The property.name is longer than 1500 bytes."),
        ("é" * 751, "The property.name is longer than 1500 bytes."),
    ],
)
def test_a_field_cannot_have_any_name(name, message) -> None:
    with pytest.raises(Refusal) as refused:
        check_fields({name: 1})
    assert refused.value.message == message
