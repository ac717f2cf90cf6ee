"""A range of sort keys, and which one a filter allows its field.

Source: https://firebase.google.com/docs/firestore/query-data/queries: a range filter finds only
values of the type it compares with. Must not know documents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from emulator.embedded.firestore.field_values import operand_key
from emulator.embedded.firestore.model import NAME, FieldFilter, Operator
from emulator.embedded.firestore.values import BOOLEAN, NULL, NUMBER, OrderKey

_FIRST_NUMBER: OrderKey = (NUMBER, 1)  # NaN, the key (NUMBER, 0), is in no range
_LOWER = {Operator.GREATER_THAN, Operator.GREATER_THAN_OR_EQUAL}
_UPPER = {Operator.LESS_THAN, Operator.LESS_THAN_OR_EQUAL}
_CLOSED = {Operator.GREATER_THAN_OR_EQUAL, Operator.LESS_THAN_OR_EQUAL}


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
    if one.operator not in _LOWER | _UPPER:
        return EVERYTHING if one.field == NAME else NOT_NULL
    operand = one.value
    if operand is None or (isinstance(operand, float) and math.isnan(operand)):
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
