"""Firestore's values as plain Python, their equality and their order across all types.

Source of the order: https://firebase.google.com/docs/firestore/manage-data/data-types and
https://firebase.google.com/docs/firestore/vector-search. Must not know protobuf.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """An instant in whole microseconds since 1970: Firestore drops what is finer."""

    micros: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A document's full resource name, `projects/p/databases/d/documents/...`."""

    name: str


@dataclass(frozen=True, slots=True)
class GeoPoint:
    """A place on Earth, in degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector embedding; on the wire a map with `__type__: __vector__`."""

    values: tuple[float, ...]


# Lists and maps hold values in turn. Nothing in a stored document is ever changed in place.
Value: TypeAlias = Any  # None | bool | int | float | str | bytes | Timestamp | Reference | ...
Fields: TypeAlias = Mapping[str, Value]
OrderKey: TypeAlias = tuple[Any, ...]

NULL, BOOLEAN, NUMBER, TIMESTAMP, STRING, BYTES, REFERENCE, GEOPOINT, ARRAY, VECTOR, MAP = range(11)


def type_rank(value: Value) -> int:
    """The place of the value's type in the order over types."""
    return int(order_key(value)[0])


def order_key(value: Value) -> OrderKey:
    """A key whose order and equality are Firestore's: 1 equals 1.0, NaN comes before all numbers.

    Python compares int and float exactly, and str by code point, which is the order of UTF-8.
    """
    match value:
        case None:
            return (NULL,)
        case bool():
            return (BOOLEAN, value)
        case int() | float():
            return (NUMBER, 0) if math.isnan(value) else (NUMBER, 1, value)
        case Timestamp():
            return (TIMESTAMP, value.micros)
        case str():
            return (STRING, value)
        case bytes():
            return (BYTES, value)
    return _compound_key(value)


def _compound_key(value: Value) -> OrderKey:
    match value:
        case Reference():
            return (REFERENCE, *_segments(value.name))
        case GeoPoint():
            return (GEOPOINT, value.latitude, value.longitude)
        case list() | tuple():
            return (ARRAY, tuple(order_key(item) for item in value))
        case Vector():
            return (VECTOR, len(value.values), tuple(order_key(item) for item in value.values))
        case Mapping():
            return (MAP, tuple((name, order_key(value[name])) for name in sorted(value)))
    raise TypeError(f"no Firestore value: {type(value).__name__}")


def path_key(path: str) -> OrderKey:
    """The order of documents by name: segment by segment; ids `__id7__` are numbers and first."""
    return _segments(path)


def _segments(path: str) -> OrderKey:
    return tuple(_segment(part) for part in path.split("/"))


def _segment(part: str) -> tuple[int, int, str]:
    number = part[4:-2] if part.startswith("__id") and part.endswith("__") else ""
    return (0, int(number), "") if number.lstrip("-").isdigit() else (1, 0, part)


def equal(left: Value, right: Value) -> bool:
    """Whether Firestore takes the two for the same value."""
    return order_key(left) == order_key(right)
