"""Decides whether a document meets a filter, with Firestore's rules for types, null and NaN.

Source: https://firebase.google.com/docs/firestore/query-data/queries#query_operators; how null
and NaN compare in a field filter was measured on Google's emulator. Must not know indexes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from emulator.embedded.firestore.model import Document, FieldFilter, FieldPath, Filter, Operator
from emulator.embedded.firestore.nested import MISSING, value_at
from emulator.embedded.firestore.query.sort_keys import (
    RANGES,
    KeyRange,
    equals_nothing,
    field_key,
    operand_key,
    range_of,
)
from emulator.embedded.firestore.values import OrderKey, order_key

Test: TypeAlias = Callable[[Document], bool]

NEGATIONS = frozenset(
    {Operator.NOT_EQUAL, Operator.NOT_IN, Operator.IS_NOT_NAN, Operator.IS_NOT_NULL}
)
INEQUALITIES = NEGATIONS | RANGES
UNARY = frozenset({Operator.IS_NAN, Operator.IS_NULL, Operator.IS_NOT_NAN, Operator.IS_NOT_NULL})
OF_ARRAYS = frozenset({Operator.ARRAY_CONTAINS, Operator.ARRAY_CONTAINS_ANY})
EQUALITIES = frozenset({Operator.EQUAL, Operator.IS_NULL, Operator.IS_NAN})


def predicate(where: Filter | None) -> Test:
    """What tells whether a document meets the filter; built once for many documents."""
    if where is None:
        return lambda _: True
    if isinstance(where, FieldFilter):
        return _field_predicate(where)
    tests = tuple(map(predicate, where.filters))
    if len(tests) == 1:
        return tests[0]
    if where.operator == "or":
        return lambda document: any(test(document) for test in tests)
    return lambda document: all(test(document) for test in tests)


def _field_predicate(one: FieldFilter) -> Test:
    if one.operator in RANGES:
        return _within(one.field, range_of(one))
    if one.operator in UNARY:
        return _unary(one.field, one.operator)
    if one.operator in OF_ARRAYS:
        return _containing(one)
    operands = one.value if one.operator in {Operator.IN, Operator.NOT_IN} else (one.value,)
    keys = {operand_key(one.field, each) for each in operands if not equals_nothing(each)}
    if one.operator in NEGATIONS:
        return _unlike(one.field, keys, possible=not any(each is None for each in operands))
    return _alike(one.field, keys)


def _alike(field: FieldPath, keys: set[OrderKey]) -> Test:
    if len(keys) == 1:
        (only,) = keys
        return lambda document: field_key(document, field) == only
    return lambda document: field_key(document, field) in keys


def _unlike(field: FieldPath, keys: set[OrderKey], *, possible: bool) -> Test:
    present = range_of(FieldFilter(field, Operator.IS_NOT_NULL))

    def test(document: Document) -> bool:
        key = field_key(document, field)
        return possible and key is not None and key not in keys and key in present

    return test


def _within(field: FieldPath, allowed: KeyRange) -> Test:
    def test(document: Document) -> bool:
        key = field_key(document, field)
        return key is not None and key in allowed

    return test


def _unary(field: FieldPath, operator: Operator) -> Test:
    nan = operator in {Operator.IS_NAN, Operator.IS_NOT_NAN}
    wanted = operator in {Operator.IS_NAN, Operator.IS_NULL}

    def test(document: Document) -> bool:
        value = value_at(document.fields, field)
        if value is MISSING or (value is None and not (wanted and not nan)):
            return False
        return wanted is (equals_nothing(value) if nan else value is None)

    return test


def _containing(one: FieldFilter) -> Test:
    operands = one.value if one.operator is Operator.ARRAY_CONTAINS_ANY else (one.value,)
    keys = {order_key(each) for each in operands if not equals_nothing(each)}

    def test(document: Document) -> bool:
        value = value_at(document.fields, one.field)
        return isinstance(value, list | tuple) and any(order_key(each) in keys for each in value)

    return test
