"""What documents sort by, and the ranges of such keys that filters allow.

Source: https://firebase.google.com/docs/firestore/query-data/order-limit-data and
https://firebase.google.com/docs/firestore/query-data/queries: a range filter finds only values of
the type it compares with. Must not know where documents are kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from emulator.embedded.firestore.model import NAME, Document, FieldFilter, FieldPath, Operator
from emulator.embedded.firestore.nested import MISSING, value_at
from emulator.embedded.firestore.values import (
    BOOLEAN,
    NULL,
    NUMBER,
    OrderKey,
    Reference,
    Value,
    order_key,
    path_key,
)

_FIRST_NUMBER: OrderKey = (NUMBER, 1)  # NaN, the key (NUMBER, 0), is in no range
_LOWER = {Operator.GREATER_THAN, Operator.GREATER_THAN_OR_EQUAL}
RANGES = frozenset({*_LOWER, Operator.LESS_THAN, Operator.LESS_THAN_OR_EQUAL})
_CLOSED = {Operator.GREATER_THAN_OR_EQUAL, Operator.LESS_THAN_OR_EQUAL}


def field_key(document: Document, field: FieldPath) -> OrderKey | None:
    """What the document sorts by in that field, or by name; None where it lacks the field."""
    if field == NAME:
        return path_key(document.path)
    value = value_at(document.fields, field)
    return None if value is MISSING else order_key(value)


def operand_key(field: FieldPath, operand: Value) -> OrderKey:
    """The key of what a filter or cursor compares the field with."""
    if field == NAME and isinstance(operand, Reference):
        return path_key(operand.path)
    return order_key(operand)


def equals_nothing(operand: Value) -> bool:
    """Null and NaN: a field filter finds them only through its unary operators."""
    return operand is None or (isinstance(operand, float) and math.isnan(operand))


@dataclass(frozen=True, slots=True)
class KeyRange:
    """From `low` to `high`; None is open. A key that starts with a bound counts as beyond it."""

    low: OrderKey | None = None
    high: OrderKey | None = None
    low_included: bool = True
    high_included: bool = False

    def __contains__(self, key: OrderKey) -> bool:
        if self.low is not None and (key < self.low or (key == self.low and not self.low_included)):
            return False
        return self.high is None or key < self.high or (key == self.high and self.high_included)

    def __and__(self, other: KeyRange) -> KeyRange:
        """What lies in both."""
        low, low_included = self.low, self.low_included
        if low is None or (other.low is not None and _higher(other, self)):
            low, low_included = other.low, other.low_included
        high, high_included = self.high, self.high_included
        if high is None or (other.high is not None and _lower(other, self)):
            high, high_included = other.high, other.high_included
        return KeyRange(low, high, low_included, high_included)


EVERYTHING = KeyRange()
NOTHING = KeyRange((NULL,), (NULL,))
NOT_NULL = KeyRange((BOOLEAN,))


def range_of(one: FieldFilter) -> KeyRange:
    """The smallest range that holds every key the filter allows."""
    if one.operator not in RANGES:
        return EVERYTHING if one.field == NAME else NOT_NULL
    operand = one.value
    if equals_nothing(operand):
        return NOTHING
    key = operand_key(one.field, operand)
    low, high = _type_bounds(one, key)
    included = one.operator in _CLOSED
    if one.operator in _LOWER:
        return KeyRange(key, high, low_included=included)
    return KeyRange(low, key, high_included=included)


def _type_bounds(one: FieldFilter, key: OrderKey) -> tuple[OrderKey | None, OrderKey | None]:
    if one.field == NAME:
        return None, None
    rank = key[0]
    return _FIRST_NUMBER if rank == NUMBER else (rank,), (rank + 1,)


def _higher(one: KeyRange, other: KeyRange) -> bool:
    assert one.low is not None
    assert other.low is not None
    return one.low > other.low or (one.low == other.low and not one.low_included)


def _lower(one: KeyRange, other: KeyRange) -> bool:
    assert one.high is not None
    assert other.high is not None
    return one.high < other.high or (one.high == other.high and not one.high_included)
