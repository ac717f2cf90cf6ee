"""Counts, sums and averages over the documents a query finds.

Source: https://firebase.google.com/docs/firestore/query-data/aggregation-queries. Must not know
protobuf.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from emulator.embedded.firestore.model import NAME, Aggregation, Document, FieldPath, Query
from emulator.embedded.firestore.nested import value_at
from emulator.embedded.firestore.paths import MAX_FIELD_PATH_BYTES, byte_length, reserved
from emulator.embedded.firestore.run_query import found_documents
from emulator.embedded.firestore.values import Value
from emulator.embedded.refusal import invalid

if TYPE_CHECKING:
    from emulator.embedded.firestore.database import Database
    from emulator.embedded.firestore.snapshot import Snapshot

MAX_AGGREGATIONS = 5
_INT64 = range(-(1 << 63), 1 << 63)


def aggregate(
    database: Database,
    query: Query,
    aggregations: Sequence[Aggregation],
    *,
    snapshot: Snapshot | None = None,
) -> dict[str, Value]:
    """One value for each alias; an empty alias becomes `field_1`, `field_2` and so on.

    Only documents with all the fields that are summed or averaged are looked at, also by counts.
    Raises Refusal.
    """
    named = _named(aggregations)
    fields = tuple(dict.fromkeys(one.field for one in aggregations if one.field is not None))
    query = _no_more_than_counted(query, aggregations)
    found = found_documents(database, query, snapshot=snapshot, present=fields).documents
    return {alias: _value(one, found) for alias, one in named.items()}


def _named(aggregations: Sequence[Aggregation]) -> dict[str, Aggregation]:
    if not aggregations:
        raise invalid("Aggregations can not be empty.")
    if len(aggregations) > MAX_AGGREGATIONS:
        raise invalid(
            "The maximum number of aggregations allowed in an aggregation query is "
            f"{MAX_AGGREGATIONS}. Received: {len(aggregations)}"
        )
    for one in aggregations:
        _check(one)
    unnamed = 0
    aliases = []
    for one in aggregations:
        unnamed += not one.alias
        aliases.append(one.alias or f"field_{unnamed}")
    for alias, times in Counter(aliases).items():
        if times > 1:
            raise invalid(f"Aggregation aliases contain duplicate alias: {alias}.")
    return dict(zip(aliases, aggregations, strict=True))


def _check(one: Aggregation) -> None:
    if one.up_to is not None and one.up_to < 0:
        raise invalid(
            "The `up_to` value in a COUNT aggregation must be greater than or equal to zero."
        )
    if one.field == NAME:
        raise invalid("Aggregations are not supported for the property: __key__")
    if byte_length(one.alias) > MAX_FIELD_PATH_BYTES:
        raise invalid(f"The property.name is longer than {MAX_FIELD_PATH_BYTES} bytes.")
    if reserved(one.alias):
        raise invalid(f'The property.name "{one.alias}" is reserved.')


def _no_more_than_counted(query: Query, aggregations: Sequence[Aggregation]) -> Query:
    bounds = [one.up_to for one in aggregations if one.up_to is not None]
    if len(bounds) < len(aggregations) or query.nearest is not None:
        return query
    most = max(bounds)
    return replace(query, limit=most if query.limit is None else min(query.limit, most))


def _value(one: Aggregation, found: Sequence[Document]) -> Value:
    if one.field is None:
        return len(found) if one.up_to is None else min(len(found), one.up_to)
    numbers = _numbers(one.field, found)
    if one.kind == "sum":
        return _sum(numbers)
    return float(_sum(numbers)) / len(numbers) if numbers else None


def _numbers(field: FieldPath, found: Sequence[Document]) -> list[int | float]:
    values = (value_at(document.fields, field) for document in found)
    return [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]


def _sum(numbers: Sequence[int | float]) -> int | float:
    whole = sum(one for one in numbers if isinstance(one, int))
    broken = [one for one in numbers if isinstance(one, float)]
    if not broken:
        return whole if whole in _INT64 else float(whole)
    if all(map(math.isfinite, broken)):
        try:
            return math.fsum((*broken, whole))
        except OverflowError:  # beyond the largest double
            pass
    return sum(broken, float(whole))
