"""Firestore's values between protobuf and plain Python.

Decides what is no value at all; what a document may hold is not decided here. Source:
https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from emulator.embedded.firestore.validation import check_time
from emulator.embedded.firestore.values import (
    Fields,
    GeoPoint,
    Reference,
    Timestamp,
    Value,
    Vector,
)
from emulator.embedded.messages import NULL_VALUE, firestore_pb
from emulator.embedded.refusal import invalid

_TYPE, _VECTOR, _VALUES = "__type__", "__vector__", "value"


def micros(timestamp: Any) -> int:
    """Of a protobuf Timestamp; what is finer is dropped. Raises INVALID_ARGUMENT out of range."""
    seconds, nanos = timestamp.seconds, timestamp.nanos
    if not 0 <= nanos < 1_000_000_000:
        raise invalid("Timestamp nanos exceeds limit for field.")
    at = int(seconds) * 1_000_000 + int(nanos) // 1_000
    check_time(at)
    return at


def set_time(timestamp: Any, at: int) -> None:
    """Writes microseconds since 1970 into a protobuf Timestamp."""
    timestamp.seconds, rest = divmod(at, 1_000_000)
    timestamp.nanos = rest * 1_000


def decode(value: Any) -> Value:
    """A protobuf Value as a plain one."""
    kind = value.WhichOneof("value_type")
    if kind in _PLAIN:
        return getattr(value, kind)
    if kind not in _READERS:
        raise invalid(
            "Cannot convert firestore.v1.Value with type unset."
            if kind is None
            else f"Values of type {kind} are allowed in pipelines only."
        )
    return _READERS[kind](getattr(value, kind))


def decode_fields(fields: Mapping[str, Any]) -> Fields:
    """The fields of a document or map."""
    return {name: decode(fields[name]) for name in fields}  # items() of a protobuf map is slow


def decode_elements(array: Any) -> list[Value]:
    """The elements of an ArrayValue."""
    return [decode(item) for item in array.values]


def _map(value: Any) -> Value:
    fields = value.fields
    if _TYPE in fields and fields[_TYPE].string_value == _VECTOR:
        return _vector(fields)
    return decode_fields(fields)


def _vector(fields: Mapping[str, Any]) -> Vector:
    if set(fields) != {_TYPE, _VALUES} or not fields[_VALUES].HasField("array_value"):
        raise invalid("A vector must have an array of doubles in `value`, and no more.")
    numbers = decode_elements(fields[_VALUES].array_value)
    if not all(isinstance(number, float) for number in numbers):
        raise invalid("Vector must only contain values of type 'double'")
    return Vector(tuple(numbers))


_PLAIN = {"string_value", "integer_value", "boolean_value", "double_value", "bytes_value"}
_READERS: dict[str, Callable[[Any], Value]] = {
    "null_value": lambda _: None,
    "timestamp_value": lambda value: Timestamp(micros(value)),
    "reference_value": Reference,
    "geo_point_value": lambda value: GeoPoint(value.latitude, value.longitude),
    "array_value": decode_elements,
    "map_value": _map,
}


def encode(value: Value) -> Any:
    """A plain value as a protobuf Value."""
    slot = firestore_pb.Value()
    set_value(slot, value)
    return slot


def encode_fields(slots: Any, fields: Fields) -> None:
    """Fills the `fields` of a protobuf Document or MapValue."""
    for name, value in fields.items():
        set_value(slots[name], value)


def set_value(slot: Any, value: Value) -> None:
    """Sets an unset protobuf Value in place, which spares a copy at each level."""
    _WRITERS[type(value)](slot, value)


def _write_string(slot: Any, value: Value) -> None:
    slot.string_value = value


def _write_integer(slot: Any, value: Value) -> None:
    slot.integer_value = value


def _write_double(slot: Any, value: Value) -> None:
    slot.double_value = value


def _write_boolean(slot: Any, value: Value) -> None:
    slot.boolean_value = value


def _write_bytes(slot: Any, value: Value) -> None:
    slot.bytes_value = value


def _write_null(slot: Any, _: Value) -> None:
    slot.null_value = NULL_VALUE


def _write_reference(slot: Any, value: Reference) -> None:
    slot.reference_value = value.name


def _write_time(slot: Any, value: Timestamp) -> None:
    slot.timestamp_value.SetInParent()  # 1970-01-01 sets no field of its own
    set_time(slot.timestamp_value, value.micros)


def _write_geo_point(slot: Any, value: GeoPoint) -> None:
    slot.geo_point_value.SetInParent()
    slot.geo_point_value.latitude = value.latitude
    slot.geo_point_value.longitude = value.longitude


def _write_array(slot: Any, value: list[Value]) -> None:
    slot.array_value.SetInParent()
    add = slot.array_value.values.add
    for item in value:
        set_value(add(), item)


def _write_map(slot: Any, value: Fields) -> None:
    slot.map_value.SetInParent()
    encode_fields(slot.map_value.fields, value)


def _write_vector(slot: Any, value: Vector) -> None:
    fields = slot.map_value.fields
    fields[_TYPE].string_value = _VECTOR
    one = firestore_pb.Value
    fields[_VALUES].array_value.values.extend(one(double_value=number) for number in value.values)
    fields[_VALUES].array_value.SetInParent()


_WRITERS: dict[type, Callable[[Any, Any], None]] = {
    str: _write_string,
    int: _write_integer,
    float: _write_double,
    bool: _write_boolean,
    bytes: _write_bytes,
    type(None): _write_null,
    Reference: _write_reference,
    Timestamp: _write_time,
    GeoPoint: _write_geo_point,
    list: _write_array,
    tuple: _write_array,
    dict: _write_map,
    Vector: _write_vector,
}
