"""What a document sorts by: the key of one of its fields, or of its name.

Source: https://firebase.google.com/docs/firestore/query-data/order-limit-data. Must not know
queries.
"""

from __future__ import annotations

from emulator.embedded.firestore.model import NAME, Document, FieldPath
from emulator.embedded.firestore.nested import MISSING, value_at
from emulator.embedded.firestore.values import OrderKey, Reference, Value, order_key, path_key

_ROOT = "/documents/"


def field_key(document: Document, field: FieldPath) -> OrderKey | None:
    """What the document sorts by in that field, or by name; None where it lacks the field."""
    if field == NAME:
        return path_key(document.path)
    value = value_at(document.fields, field)
    return None if value is MISSING else order_key(value)


def operand_key(field: FieldPath, operand: Value) -> OrderKey:
    """The key of what a filter or cursor compares the field with."""
    if field == NAME and isinstance(operand, Reference):
        return path_key(relative(operand.name))
    return order_key(operand)


def relative(name: str) -> str:
    """The document path in a full resource name."""
    return name.partition(_ROOT)[2]


def field_text(field: FieldPath) -> str:
    """The field path as requests write it: `a.b`, with backquotes where a name needs them."""
    return ".".join(map(_quoted, field))


def _quoted(name: str) -> str:
    if name.isidentifier() and name.isascii():
        return name
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"
