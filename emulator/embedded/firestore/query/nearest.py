"""Orders documents by how near their vector is to another.

Source: https://firebase.google.com/docs/firestore/vector-search. Must not know where the documents
come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from heapq import nsmallest
from operator import mul
from typing import TypeAlias

from emulator.embedded.firestore.model import Document, FindNearest, Query
from emulator.embedded.firestore.nested import value_at
from emulator.embedded.firestore.paths import reserved
from emulator.embedded.firestore.validation import check_dimensions
from emulator.embedded.firestore.values import Vector, path_key
from emulator.embedded.refusal import Refusal, Status, invalid

MAX_LIMIT = 1000
Numbers: TypeAlias = Sequence[float]


def check_nearest(query: Query) -> None:
    """Raises Refusal where a FindNearest, or what comes with it, is not allowed."""
    nearest = query.nearest
    if nearest is None:
        return
    check_dimensions(nearest.query)
    if not 0 < nearest.limit <= MAX_LIMIT:
        raise invalid(f"FindNearest.limit must be a positive integer of no more than {MAX_LIMIT}")
    if nearest.measure not in _MEASURES:
        raise invalid("Unknown Distance Measure.")
    if nearest.threshold is not None and not math.isfinite(nearest.threshold):
        raise invalid("distanceThreshold must be a finite number.")
    name = nearest.distance_field
    if name and reserved(name):
        raise invalid(f'The distanceResultField.property.name "{name}" is reserved.')
    _check_company(query)


def _check_company(query: Query) -> None:
    if query.limit is not None:
        raise invalid("A query limit cannot be used with FindNearest")
    if query.offset:
        raise invalid("A query offset cannot be used with FindNearest")
    if query.start is not None or query.end is not None:
        raise invalid("A cursor cannot be used with FindNearest")


def search(documents: Iterable[Document], nearest: FindNearest) -> list[Document]:
    """The nearest first, then by name; the distance is in the result field, where one is named.

    A document without a vector of the query's dimension is not in it. Raises Refusal where the
    cosine of a vector of length zero is asked for.
    """
    measure = _MEASURES[nearest.measure]
    found = []
    for document in documents:
        value = value_at(document.fields, nearest.field)
        if isinstance(value, Vector) and len(value.values) == len(nearest.query):
            distance = measure(value.values, nearest.query)
            if _near_enough(distance, nearest):
                found.append((distance, document))
    sign = -1 if nearest.measure == "DOT_PRODUCT" else 1

    def rank(one: tuple[float, Document]) -> tuple[object, ...]:
        unknown = math.isnan(one[0])
        return unknown, 0.0 if unknown else sign * one[0], path_key(one[1].path)

    best = nsmallest(nearest.limit, found, key=rank)
    return [_with_distance(document, nearest.distance_field, far) for far, document in best]


def _near_enough(distance: float, nearest: FindNearest) -> bool:
    if nearest.threshold is None:
        return True
    if nearest.measure == "DOT_PRODUCT":
        return distance >= nearest.threshold
    return distance <= nearest.threshold


def _with_distance(document: Document, name: str | None, distance: float) -> Document:
    if not name:
        return document
    return replace(document, fields={**document.fields, name: distance})


def _dot(left: Numbers, right: Numbers) -> float:
    return sum(map(mul, left, right), 0.0)


def _cosine(left: Numbers, right: Numbers) -> float:
    lengths = math.sqrt(_dot(left, left) * _dot(right, right))
    if not lengths:
        raise Refusal(
            Status.FAILED_PRECONDITION,
            "Cannot compute cosine distance against a vector with a magnitude of zero.",
        )
    return 1.0 - _dot(left, right) / lengths


_MEASURES: dict[str, Callable[[Numbers, Numbers], float]] = {
    "EUCLIDEAN": math.dist,
    "COSINE": _cosine,
    "DOT_PRODUCT": _dot,
}
