"""Queries over documents in memory, with Firestore's order and its types.

Decides what a query finds; knows nothing of commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from shared.domain.retrieval.vectors import Vector
from shared.ports import Document, Near, Nearest, Query


def matching(documents: Iterable[Document], query: Query) -> list[Document]:
    """What a query finds, in its order."""
    fields = [field for field, _, _ in query.where] + [query.order_by or ""]
    needed = [field for field in fields if field]
    found = [
        document
        for document in documents
        if _is_in(document.path, query)
        and all(field in document.data for field in needed)
        and all(_holds(document.data[field], op, value) for field, op, value in query.where)
    ]
    found.sort(key=lambda document: _sort_key(document, query), reverse=query.descending)
    return found[: query.limit]


def nearest_of(documents: Iterable[Document], query: Nearest) -> list[Near]:
    """What a search finds, the nearest first."""
    near = [
        Near(document, query.vector.distance(vector))
        for document in documents
        if _is_in(document.path, Query(query.collection))
        and isinstance(vector := document.data.get(query.field), Vector)
        and len(vector.values) == len(query.vector.values)
        and all(_is_as_asked(document, *condition) for condition in query.where)
    ]
    found = [one for one in near if query.within is None or one.distance <= query.within]
    found.sort(key=lambda one: (one.distance, one.document.name.encode()))
    return found[: query.limit]


def _is_as_asked(document: Document, field: str, operator: str, limit: Any) -> bool:
    value: Any = document.data
    for part in field.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return _holds(value, operator, limit)


def _is_in(path: str, query: Query) -> bool:
    collection, _, _ = path.rpartition("/")
    named = collection.rpartition("/")[2] if query.group else collection
    return named == query.collection


def _sort_key(document: Document, query: Query) -> tuple[Any, ...]:
    ranges = [field for field, operator, _ in query.where if operator not in {"==", "in"}]
    field = query.order_by or next(iter(ranges), None)
    by_field = _ranked(document.data[field]) if field is not None else ()
    name = document.path if query.group else document.name
    return (by_field, name.encode())


def _holds(value: Any, operator: str, limit: Any) -> bool:
    if operator == "in":
        return any(_ranked(value) == _ranked(one) for one in limit)
    left, right = _ranked(value), _ranked(limit)
    if operator == "==":
        return left == right
    if left[0] != right[0]:  # a range covers one type only
        return False
    holds = {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}
    return holds[operator]


# Firestore's order over all types: https://firebase.google.com/docs/firestore/manage-data/data-types
_TYPES = (type(None), bool, int | float, datetime, str, bytes, list, dict)


def _ranked(value: Any) -> tuple[int, Any]:
    """A value as it compares in Firestore: by type first."""
    rank = next(rank for rank, kind in enumerate(_TYPES) if isinstance(value, kind))
    if isinstance(value, list):
        return rank, [_ranked(item) for item in value]
    if isinstance(value, dict):
        return rank, sorted((name, _ranked(item)) for name, item in value.items())
    return rank, 0 if value is None else value
