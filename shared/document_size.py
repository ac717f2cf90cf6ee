"""How large Firestore counts a document, so that one too large is refused before it is sent.

Follows Google's published rules; imports nothing of Google's. Must not know who asks.
Source: https://firebase.google.com/docs/firestore/storage-size
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.domain.retrieval.vectors import Vector
from shared.errors import ActionFailedError, RecordTooLargeError
from shared.ports import Delete, Write

MAX_DOCUMENT_BYTES = 1_048_576
MAX_COMMIT_BYTES = 10 * MAX_DOCUMENT_BYTES
MAX_VALUE_BYTES = 1_048_487  # of one string or bytes value, as the service reports it
_PER_DOCUMENT = 32
_PER_NAME = 16


def require_committable(writes: Sequence[Write]) -> None:
    """Raises RecordTooLargeError where Firestore would refuse a write, or all at once, for size."""
    stored = [write for write in writes if not isinstance(write, Delete)]
    size = sum(storable_size(write.path, write.data) for write in stored)
    if size > MAX_COMMIT_BYTES:
        message = f"a commit of {len(stored)} documents with {size:,} bytes"
        raise RecordTooLargeError(f"{message}; the limit is {MAX_COMMIT_BYTES:,}")


def storable_size(path: str, data: Mapping[str, Any]) -> int:
    """Bytes of a document.

    Raises RecordTooLargeError where Firestore would not hold them, ActionFailedError where a
    text is half a character, which no service takes.
    """
    try:
        size = document_size(path, data)
    except UnicodeEncodeError as error:
        raise ActionFailedError(f"{path} holds a text that is not Unicode") from error
    if size > MAX_DOCUMENT_BYTES:
        raise RecordTooLargeError(f"{path}: {size:,} bytes; the limit is {MAX_DOCUMENT_BYTES:,}")
    for name, value in data.items():
        if isinstance(value, str | bytes) and _length(value) > MAX_VALUE_BYTES:
            raise RecordTooLargeError(
                f"{path}, field {name}: {_length(value):,} bytes; the limit is {MAX_VALUE_BYTES:,}"
            )
    return size


def document_size(path: str, data: Mapping[str, Any]) -> int:
    """Bytes of a document under its path."""
    name = _PER_NAME + sum(_string(part) for part in path.split("/"))
    return name + _PER_DOCUMENT + _fields(data)


def _fields(data: Mapping[str, Any]) -> int:
    return sum(_string(name) + _value(value) for name, value in data.items())


def _value(value: Any) -> int:
    match value:
        case None | bool():
            return 1
        case str():
            return _string(value)
        case bytes():
            return len(value)
        case Mapping():
            return _PER_DOCUMENT + _fields(value)
        case list() | tuple():
            return sum(_value(item) for item in value)
        case Vector():
            return _PER_DOCUMENT + 8 * len(value.values)
        case _:  # integers, floats and timestamps
            return 8


def _string(text: str) -> int:
    return _length(text) + 1


def _length(value: str | bytes) -> int:
    return len(value) if isinstance(value, bytes) else len(value.encode())
