"""Reading and replacing values inside nested maps by field path; nothing is changed in place.

Must not know documents or what a path may be called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from emulator.embedded.firestore.model import FieldPath
from emulator.embedded.firestore.values import Fields, Value


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()  # no value at all, as opposed to null


def value_at(fields: Fields, path: FieldPath) -> Value:
    """The value there, or MISSING."""
    value: Value = fields
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return MISSING
        value = value[name]
    return value


def with_value(fields: Fields, path: FieldPath, value: Value) -> Fields:
    """With the value there; what lies on the way and is no map becomes one."""
    name, rest = path[0], path[1:]
    if rest:
        inner = fields.get(name)
        value = with_value(inner if isinstance(inner, Mapping) else {}, rest, value)
    return {**fields, name: value}


def without(fields: Fields, path: FieldPath) -> Fields:
    """Without the value there; maps that become empty stay."""
    name, rest = path[0], path[1:]
    if name not in fields:
        return fields
    if not rest:
        return {other: value for other, value in fields.items() if other != name}
    inner = fields[name]
    if not isinstance(inner, Mapping):
        return fields
    return {**fields, name: without(inner, rest)}
