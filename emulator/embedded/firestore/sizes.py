"""How many bytes Firestore counts a document for, and the limit on it.

Source: https://firebase.google.com/docs/firestore/storage-size. Must not know writes.
"""

from __future__ import annotations

from collections.abc import Mapping

from emulator.embedded.firestore.paths import byte_length, reserved
from emulator.embedded.firestore.values import Fields, GeoPoint, Reference, Timestamp, Value, Vector
from emulator.embedded.refusal import invalid

MAX_DOCUMENT_BYTES = 1_048_576
_PER_DOCUMENT = 32  # also of a map, which is counted like one
_PER_NAME = 16
_NUMBER = 8
_FIXED: dict[type, int] = {
    type(None): 1,
    bool: 1,
    int: _NUMBER,
    float: _NUMBER,
    Timestamp: _NUMBER,
    GeoPoint: 16,
}


def check_document_size(root: str, path: str, fields: Fields) -> None:
    """Raises INVALID_ARGUMENT where the document is too large; `root` ends in `documents/`."""
    size = document_size(path, fields)
    if size > MAX_DOCUMENT_BYTES:
        raise invalid(
            f"Document '{root}{path}' cannot be written because its size ({size:,} bytes) exceeds "
            f"the maximum allowed size of {MAX_DOCUMENT_BYTES:,} bytes."
        )


def document_size(path: str, fields: Fields) -> int:
    """Of the document with its name."""
    return name_size(path) + _fields_size(fields)


def name_size(path: str) -> int:
    """Of a document's name, of which only what is below `documents/` counts."""
    return _PER_NAME + sum(_id_size(part) for part in path.split("/"))


def value_size(value: Value) -> int:
    """Of one value without its field's name."""
    fixed = _FIXED.get(type(value))
    if fixed is not None:
        return fixed
    match value:
        case str():
            return _string_size(value)
        case Mapping():
            return _fields_size(value)
        case list() | tuple():
            return sum(map(value_size, value))
        case bytes():
            return len(value)
        case Vector():
            return _NUMBER * len(value.values)
        case Reference():
            return name_size(value.path)
    raise TypeError(f"no Firestore value: {type(value).__name__}")


def _fields_size(fields: Fields) -> int:
    size = _PER_DOCUMENT
    for name, value in fields.items():
        size += _string_size(name) + value_size(value)
    return size


def _id_size(part: str) -> int:
    return _NUMBER if reserved(part) else _string_size(part)


def _string_size(text: str) -> int:
    return byte_length(text) + 1
