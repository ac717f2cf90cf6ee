"""Protobuf writes as the model's.

Refuses what is no write. Must not know what is stored. Source:
https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.embedded.firestore.model import (
    Delete,
    Elements,
    FieldPath,
    Numeric,
    ServerTime,
    Transform,
    Transforms,
    Update,
    Write,
)
from emulator.embedded.firestore.paths import parse_field_path
from emulator.embedded.firestore.rpc.wire import mask, precondition, relative
from emulator.embedded.firestore.rpc.wire_values import decode, decode_elements, decode_fields
from emulator.embedded.refusal import invalid

_REQUEST_TIME = 1


def write_of(database: str, message: Any) -> Write:
    """A protobuf Write; its document must belong to `database`. Values are not checked."""
    operation = message.WhichOneof("operation")
    if operation == "update":
        return _update(database, message)
    if operation is None:
        raise invalid("A write must have an operation: update, delete or transform.")
    if message.HasField("update_mask"):
        raise invalid("`update_mask` is allowed for updates only.")
    if message.update_transforms:
        raise invalid("`update_transforms` is allowed for updates only.")
    condition = precondition(message)
    if operation == "delete":
        return Delete(relative(database, message.delete), condition)
    if operation == "transform":
        return Transforms(
            relative(database, message.transform.document),
            tuple(transform_of(one) for one in message.transform.field_transforms),
            condition,
        )
    raise invalid(f"Writes of type {operation} are not allowed.")


def _update(database: str, message: Any) -> Update:
    document = message.update
    return Update(
        relative(database, document.name),
        decode_fields(document.fields),
        mask(message.update_mask) if message.HasField("update_mask") else None,
        tuple(transform_of(one) for one in message.update_transforms),
        precondition(message),
    )


def transform_of(message: Any) -> Transform:
    """A protobuf FieldTransform."""
    kind = message.WhichOneof("transform_type")
    if kind is None:
        raise invalid("A field transform must have a type.")
    return _READERS[kind](parse_field_path(message.field_path), getattr(message, kind))


def _server_time(path: FieldPath, value: int) -> Transform:
    if value != _REQUEST_TIME:
        raise invalid("ServerValue type must be specified for set_to_server_value transformation.")
    return ServerTime(path)


_READERS: dict[str, Callable[[FieldPath, Any], Transform]] = {
    "set_to_server_value": _server_time,
    "increment": lambda path, value: Numeric(path, "increment", decode(value)),
    "maximum": lambda path, value: Numeric(path, "maximum", decode(value)),
    "minimum": lambda path, value: Numeric(path, "minimum", decode(value)),
    "append_missing_elements": lambda path, value: Elements(
        path, "append_missing", tuple(decode_elements(value))
    ),
    "remove_all_from_array": lambda path, value: Elements(
        path, "remove_all", tuple(decode_elements(value))
    ),
}
