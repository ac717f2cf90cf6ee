"""Which values a document may hold, whatever is stored already.

Source: https://firebase.google.com/docs/firestore/quotas#collections_documents_and_fields; the
wording of refusals is that of Google's emulator. Must not know writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emulator.embedded.firestore.model import FieldPath
from emulator.embedded.firestore.paths import (
    MAX_FIELD_PATH_BYTES,
    byte_length,
    check_document_path,
    reserved,
)
from emulator.embedded.firestore.values import (
    Fields,
    GeoPoint,
    Reference,
    Timestamp,
    Value,
    Vector,
)
from emulator.embedded.refusal import Refusal, invalid

MAX_VALUE_BYTES = 1_048_487
MAX_DEPTH = 20
MAX_DIMENSIONS = 2_048
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_800_000_000


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value is: its top-level field, how deep, and the bytes of the path to it."""

    property: str
    depth: int = 0
    length: int = 0
    in_map: bool = False


def check_fields(fields: Fields) -> None:
    """Raises INVALID_ARGUMENT where no document can hold them."""
    for name, value in fields.items():
        if reserved(name):
            raise invalid(f"field name {name} is reserved")
        if not name:
            raise invalid("The property.name is the empty string.")
        length = byte_length(name)
        if length > MAX_FIELD_PATH_BYTES:
            raise invalid(f"The property.name is longer than {MAX_FIELD_PATH_BYTES} bytes.")
        check = _CHECKS.get(type(value))
        if check is not None:
            check(value, _Place(name, length=length))


def check_elements(path: FieldPath, values: tuple[Value, ...]) -> None:
    """As `check_fields`, of what becomes elements of the array at `path`."""
    _array(values, _place(path))


def check_way(path: FieldPath) -> None:
    """Raises INVALID_ARGUMENT where the path leads through more maps than may be nested."""
    if len(path) > MAX_DEPTH + 1:
        raise _nested(_place(path))


def _place(path: FieldPath) -> _Place:
    return _Place(path[0], len(path) - 1, byte_length(".".join(path)), in_map=len(path) > 1)


def _map(value: Fields, place: _Place) -> None:
    inside = _deeper(place)
    for name, item in value.items():
        if reserved(name):
            raise invalid(f"field name '{name}' is reserved.")
        length = place.length + 1 + byte_length(name)
        if not name or length > MAX_FIELD_PATH_BYTES:
            raise _nested(place)
        check = _CHECKS.get(type(item))
        if check is not None:
            check(item, _Place(place.property, inside, length, in_map=True))


def _array(value: list[Value] | tuple[Value, ...], place: _Place) -> None:
    inside = _deeper(place)
    for item in value:
        if isinstance(item, list | tuple):
            raise invalid("Cannot convert an array value in an array value.")
        if isinstance(item, Vector):
            raise invalid("Cannot convert a vector value in an array value.")
        check = _CHECKS.get(type(item))
        if check is not None:
            check(item, _Place(place.property, inside, place.length, in_map=place.in_map))


def _deeper(place: _Place) -> int:
    if place.depth == MAX_DEPTH:
        raise _nested(place)
    return place.depth + 1


def _text(value: str | bytes, place: _Place) -> None:
    length = len(value) if isinstance(value, bytes) else byte_length(value)
    if length > MAX_VALUE_BYTES:
        if place.in_map:
            raise _nested(place)
        raise invalid(
            f'The value of property "{place.property}" is longer than {MAX_VALUE_BYTES} bytes.'
        )


def _nested(place: _Place) -> Refusal:
    return invalid(f"Property {place.property} contains an invalid nested entity.")


def check_dimensions(vector: Sequence[float]) -> None:
    """Raises INVALID_ARGUMENT for a vector of no or too many dimensions."""
    if not vector:
        raise invalid("Cannot have a zero length vector.")
    if len(vector) > MAX_DIMENSIONS:
        raise invalid(f"Vectors must be at most {MAX_DIMENSIONS} dimensions.")


def check_time(micros: int) -> None:
    """Raises INVALID_ARGUMENT for an instant outside of the years 1 to 9999."""
    if not _EARLIEST <= micros < _LATEST:
        raise invalid("Timestamp seconds exceeds limit for field.")


def _vector(value: Vector, _: _Place) -> None:
    check_dimensions(value.values)


def _timestamp(value: Timestamp, _: _Place) -> None:
    check_time(value.micros)


def _geo_point(value: GeoPoint, _: _Place) -> None:
    for name, degrees, limit in (
        ("latitude", value.latitude, 90.0),
        ("longitude", value.longitude, 180.0),
    ):
        if not -limit <= degrees <= limit:
            raise invalid(
                f"Geo point {name} '{degrees}' outside permitted range -{limit} to {limit}."
            )


def _reference(value: Reference, _: _Place) -> None:
    name = value.name
    head, separator, path = name.partition("/documents/")
    parts = head.split("/")
    if parts[0] != "projects":
        raise invalid(f'Resource name "{name}" lacks "projects" at index 0.')
    if not separator or len(parts) != 4 or parts[2] != "databases" or not all(parts):
        raise invalid(f'Resource name "{name}" names no document.')
    check_document_path(path, f"{head}/documents/", "Resource name")


_CHECKS: dict[type, Callable[[Value, _Place], None]] = {
    str: _text,
    bytes: _text,
    dict: _map,
    list: _array,
    tuple: _array,
    Vector: _vector,
    Timestamp: _timestamp,
    GeoPoint: _geo_point,
    Reference: _reference,
}
