"""What the transforms of a write make of a field.

Source: https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#fieldtransform.
Must not know writes or preconditions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, assert_never

from emulator.embedded.firestore.model import Elements, FieldPath, Numeric, ServerTime, Transform
from emulator.embedded.firestore.nested import value_at, with_value
from emulator.embedded.firestore.paths import check_field_path
from emulator.embedded.firestore.validation import check_elements, check_way
from emulator.embedded.firestore.values import Fields, Timestamp, Value, order_key
from emulator.embedded.refusal import invalid

MAX_TRANSFORMS = 500  # of one document in one commit
_MILLISECOND = 1_000
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
Number = int | float


def check_transforms(transforms: Sequence[Transform]) -> None:
    """Raises INVALID_ARGUMENT where they can be applied to no document."""
    for transform in transforms:
        check_field_path(transform.field)
        check_way(transform.field)
        if isinstance(transform, Elements):
            check_elements(transform.field, transform.values)
        elif isinstance(transform, Numeric) and not _is_number(transform.operand):
            raise invalid("Input must be int64 or double.")
    _check_apart({transform.field for transform in transforms})


def _check_apart(paths: set[FieldPath]) -> None:
    for path in paths:
        for length in range(1, len(path)):
            if path[:length] in paths:
                outer = ".".join(path[:length])
                raise invalid(
                    f"Cannot transform property {outer} and its nested property at the same time."
                )


def transformed(
    fields: Fields, transforms: Sequence[Transform], at: int
) -> tuple[Fields, tuple[Value, ...]]:
    """The fields after all transforms, in order, and what the client is told of each.

    `at` is the time of the request; a server time has its milliseconds. Array transforms are
    answered with null.
    """
    results: list[Value] = []
    for transform in transforms:
        value = _value(transform, value_at(fields, transform.field), at)
        fields = with_value(fields, transform.field, value)
        results.append(None if isinstance(transform, Elements) else value)
    return fields, tuple(results)


def _value(transform: Transform, stored: Value, at: int) -> Value:
    match transform:
        case ServerTime():
            return Timestamp(at - at % _MILLISECOND)
        case Numeric():
            return _number(transform.operation, stored, transform.operand)
        case Elements():
            return _array(transform, stored if isinstance(stored, list | tuple) else ())
    assert_never(transform)


def _number(
    operation: Literal["increment", "maximum", "minimum"], stored: Value, operand: Number
) -> Number:
    if not _is_number(stored):
        return operand
    if operation == "increment":
        return _sum(stored, operand)
    if math.isnan(stored) or math.isnan(operand):
        return math.nan
    # Python compares mixed numbers exactly. Of equal ones, all zeros among them, the stored stays.
    greater = operand > stored
    return operand if operand != stored and greater == (operation == "maximum") else stored


def _sum(stored: Number, operand: Number) -> Number:
    if isinstance(stored, int) and isinstance(operand, int):
        return min(max(stored + operand, _LOWEST), _HIGHEST)
    return float(stored) + float(operand)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _array(transform: Elements, stored: Sequence[Value]) -> list[Value]:
    if transform.operation == "remove_all":
        removed = {order_key(value) for value in transform.values}
        return [value for value in stored if order_key(value) not in removed]
    present = {order_key(value) for value in stored}
    result = list(stored)
    for value in transform.values:
        key = order_key(value)
        if key not in present:
            present.add(key)
            result.append(value)
    return result
