"""Brings a filter into disjunctive normal form: an OR of ANDs of filters that need one index scan.

Source: https://firebase.google.com/docs/firestore/query-data/queries#limits_on_or_queries. Must
not know documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import prod
from typing import TypeAlias

from emulator.embedded.firestore.model import Composite, FieldFilter, Filter, Operator
from emulator.embedded.firestore.values import OrderKey, order_key

Conjunction: TypeAlias = tuple[FieldFilter, ...]

_SPLIT = {Operator.IN: Operator.EQUAL, Operator.ARRAY_CONTAINS_ANY: Operator.ARRAY_CONTAINS}
_TOO_MANY_TO_EXPAND = 10_000


def leaves(where: Filter | None) -> Iterator[FieldFilter]:
    """All the field filters of a filter, from left to right."""
    if isinstance(where, FieldFilter):
        yield where
    elif where is not None:
        for part in where.filters:
            yield from leaves(part)


def disjunctions(where: Filter | None) -> list[Conjunction]:
    """What a document must meet one of: IN and ARRAY_CONTAINS_ANY become one for each value.

    Equal ones are there once. No filter gives one that demands nothing. The size is the caller's
    business: see `count_disjunctions`.
    """
    if where is None:
        return [()]
    if isinstance(where, FieldFilter):
        return _alternatives(where)
    if where.operator == "or":
        return _distinct(one for part in where.filters for one in disjunctions(part))
    return _distinct(map(_joined, product(*map(disjunctions, where.filters))))


def count_disjunctions(where: Filter | None) -> int:
    """How many there are; beyond what can be expanded, how many there would be at most."""
    most = _at_most(where)
    return most if most > _TOO_MANY_TO_EXPAND else len(disjunctions(where))


def _at_most(where: Filter | None) -> int:
    if isinstance(where, Composite):
        counts = map(_at_most, where.filters)
        return sum(counts) if where.operator == "or" else prod(counts)
    return 1 if where is None else len(_alternatives(where))


def _alternatives(one: FieldFilter) -> list[Conjunction]:
    operator = _SPLIT.get(one.operator)
    if operator is None:
        return [(one,)]
    return _distinct((replace(one, operator=operator, value=value),) for value in one.value)


def _joined(parts: tuple[Conjunction, ...]) -> Conjunction:
    both = {_identity(one): one for part in parts for one in part}
    return tuple(both.values())


def _distinct(found: Iterator[Conjunction]) -> list[Conjunction]:
    return list({frozenset(map(_identity, one)): one for one in found}.values())


def _identity(one: FieldFilter) -> tuple[tuple[str, ...], Operator, OrderKey]:
    return one.field, one.operator, order_key(one.value)
