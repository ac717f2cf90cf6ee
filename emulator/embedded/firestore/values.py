"""Firestore's values as plain Python, their equality and their order across all types.

Source of the order: https://firebase.google.com/docs/firestore/manage-data/data-types and
https://firebase.google.com/docs/firestore/vector-search. Must not know protobuf.
"""

from __future__ import annotations

import math
import re
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

    @property
    def database(self) -> str:
        """The resource name of the database it points into."""
        return self.name.partition(_DOCUMENTS)[0]

    @property
    def path(self) -> str:
        """The path below `documents/`; empty where the name has none."""
        return self.name.partition(_DOCUMENTS)[2]


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
_NUMERIC_ID = re.compile(r"__id(-?[1-9][0-9]{0,18})__")
_DOCUMENTS = "/documents/"
_OFFSET = 2**63
_SEPARATOR, _NUL, _NUMBERED = "\0\0", "\0\1", "\0\0"


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
            return (REFERENCE, name_key(value.name))
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
    return (name_key(path),)


def name_key(path: str) -> str:
    """The same order in one text: the key of a document starts the keys of all that lies below."""
    if "\0" not in path and "__id" not in path:
        return path.replace("/", _SEPARATOR)
    return _SEPARATOR.join(_segment(part) for part in path.split("/"))


def _segment(part: str) -> str:
    number = _NUMERIC_ID.fullmatch(part)
    if number is None:
        return part.replace("\0", _NUL)
    return f"{_NUMBERED}{int(number[1]) + _OFFSET:020d}"


def keys_below(parent: str) -> tuple[str, str]:
    """The least key that something below the document can have, and the end of such keys."""
    key = name_key(parent)
    return key + _SEPARATOR, key + _NUL


def equal(left: Value, right: Value) -> bool:
    """Whether Firestore takes the two for the same value."""
    return order_key(left) == order_key(right)


def identical(left: Value, right: Value) -> bool:
    """Whether the two are stored alike: unlike `equal` it tells 1 from 1.0 and 0.0 from -0.0."""
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    match left:
        case float():
            same = left == right and math.copysign(1, left) == math.copysign(1, right)
            return same or (math.isnan(left) and math.isnan(right))
        case Mapping():
            return len(left) == len(right) and all(
                name in right and identical(value, right[name]) for name, value in left.items()
            )
        case list() | tuple():
            return len(left) == len(right) and all(map(identical, left, right))
        case Vector():
            return identical(left.values, right.values)
        case GeoPoint():
            return identical(left.latitude, right.latitude) and identical(
                left.longitude, right.longitude
            )
    return bool(left == right)
