"""The Store over the engine's database itself: no wire between them, and no time passes.

Keeps the semantics that `shared.adapters.firestore_store` has on a real Firestore.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.embedded.firestore import model, values
from emulator.embedded.firestore.aggregation import aggregate
from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.paths import parse_field_path
from emulator.embedded.firestore.run_query import run_query
from emulator.embedded.firestore.values import Timestamp
from emulator.embedded.refusal import Refusal, Status
from shared import ports
from shared.document_size import require_committable
from shared.domain.retrieval.vectors import Vector
from shared.errors import (
    ActionFailedError,
    AlreadyExistsError,
    IndexMissingError,
    RecordTooLargeError,
    SegueError,
    StaleError,
    StoreUnavailableError,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_ABOUT_SIZE = re.compile(
    r"exceed|maximum (\w+ )?size|too (large|big)|(longer|larger) than", re.IGNORECASE
)
_NO_VECTOR_INDEX = "Missing vector index"
_DISTANCE = "distance-of-search"
_NEW = model.Precondition(exists=False)
_SURELY_FIT = 9  # documents, whose sizes the database checks, together take no more than a request
_SCALARS = (str, int, float, bytes)  # bool is an int
_OPERATORS = {
    "==": model.Operator.EQUAL,
    "<": model.Operator.LESS_THAN,
    "<=": model.Operator.LESS_THAN_OR_EQUAL,
    ">": model.Operator.GREATER_THAN,
    ">=": model.Operator.GREATER_THAN_OR_EQUAL,
    "in": model.Operator.IN,
}


class CoreStore:
    """Implements `Store`. Each call takes effect at once, before anybody else's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def commit(self, writes: Sequence[ports.Write]) -> list[ports.Written]:
        if not writes:
            return []
        if len(writes) > _SURELY_FIT:
            require_committable(writes)
        try:
            done = self._database.commit([_write(write) for write in writes])
        except Refusal as refusal:
            raise _meaning(refusal) from refusal
        except UnicodeEncodeError as error:
            raise ActionFailedError("a document holds a text that is not Unicode") from error
        return [_written(*pair) for pair in zip(writes, done.results, strict=True)]

    async def get(self, path: str) -> ports.Document | None:
        [found] = await self.get_many([path])
        return found

    async def get_many(self, paths: Sequence[str]) -> list[ports.Document | None]:
        found = self._database.get(paths)
        return [None if one is None else _document(one) for one in found]

    async def find(self, query: ports.Query) -> list[ports.Document]:
        try:
            result = run_query(self._database, _query(query))
        except Refusal as refusal:
            raise StoreUnavailableError(refusal.message) from refusal
        return [_document(found) for found in result.documents]

    async def count(self, query: ports.Query) -> int:
        counted = model.Aggregation("all", "count")
        try:
            found = aggregate(self._database, _query(query), [counted])
        except Refusal as refusal:
            raise StoreUnavailableError(refusal.message) from refusal
        number = found["all"]
        assert isinstance(number, int)
        return number

    async def nearest(self, query: ports.Nearest) -> list[ports.Near]:
        plain = _query(ports.Query(query.collection, query.where))
        search = model.FindNearest(
            field=(query.field,),
            query=query.vector.values,
            measure="COSINE",
            limit=query.limit,
            distance_field=_DISTANCE,
            threshold=query.within,
        )
        try:
            result = run_query(self._database, replace(plain, nearest=search))
        except Refusal as refusal:
            raise _missing(refusal) from refusal
        return [_near(found) for found in result.documents]


def _missing(refusal: Refusal) -> SegueError:
    if _NO_VECTOR_INDEX in refusal.message:
        return IndexMissingError(refusal.message)
    return StoreUnavailableError(refusal.message)


def _meaning(refusal: Refusal) -> SegueError:
    match refusal.status:
        case Status.ALREADY_EXISTS:
            return AlreadyExistsError(refusal.message)
        case Status.FAILED_PRECONDITION | Status.NOT_FOUND:
            return StaleError(refusal.message)
        case Status.INVALID_ARGUMENT if _ABOUT_SIZE.search(refusal.message):
            return RecordTooLargeError(refusal.message)
        case Status.INVALID_ARGUMENT:
            return ActionFailedError(f"Firestore refuses the data: {refusal.message}")
    return StoreUnavailableError(refusal.message)


def _write(write: ports.Write) -> model.Write:
    match write:
        case ports.Create():
            return model.Update(write.path, _fields(write), precondition=_NEW)
        case ports.Put():
            return model.Update(write.path, _fields(write))
        case ports.Update():
            at = _revision(write.path, write.revision)
            return model.Update(write.path, _fields(write), _mask(write), precondition=at)
        case ports.Increment():
            raised = tuple(
                model.Numeric((name,), "increment", write.by[name]) for name in sorted(write.by)
            )
            return model.Update(write.path, _fields(write), _mask(write), raised)
        case ports.Delete(revision=None):
            return model.Delete(write.path)
        case ports.Delete():
            return model.Delete(write.path, _revision(write.path, write.revision or ""))


def _revision(path: str, revision: str) -> model.Precondition:
    if not revision.isdigit():  # no document was ever at such a revision
        raise StaleError(f"{path} is not at revision {revision!r}")
    return model.Precondition(updated_at=int(revision))


def _mask(write: ports.Update | ports.Increment) -> tuple[model.FieldPath, ...]:
    """Top-level fields, whatever characters their names have."""
    return tuple((name,) for name in write.data)


def _fields(write: ports.Create | ports.Put | ports.Update | ports.Increment) -> dict[str, Any]:
    try:
        return {name: _value(value) for name, value in write.data.items()}
    except TypeError as error:
        message = f"Firestore cannot hold the data of {write.path}: {error}"
        raise ActionFailedError(message) from error


def _value(value: Any) -> Any:
    if value is None or isinstance(value, _SCALARS):
        return value
    match value:
        case datetime():
            aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
            return Timestamp((aware - _EPOCH) // _MICRO)
        case Vector():
            return values.Vector(value.values)
        case Mapping():
            return {str(name): _value(item) for name, item in value.items()}
        case list() | tuple():
            return [_value(item) for item in value]
    raise TypeError(f"a {type(value).__name__} is no value of a document")


def _written(write: ports.Write, result: model.Written) -> ports.Written:
    revision = "" if result.updated_at is None else str(result.updated_at)
    if not isinstance(write, ports.Increment):
        return ports.Written(revision)
    return ports.Written(revision, dict(zip(sorted(write.by), result.transformed, strict=True)))


def _document(found: model.Document) -> ports.Document:
    data = {name: _plain(value) for name, value in found.fields.items()}
    return ports.Document(found.path, data, str(found.updated_at))


def _near(found: model.Document) -> ports.Near:
    one = _document(found)
    data = {name: value for name, value in one.data.items() if name != _DISTANCE}
    return ports.Near(replace(one, data=data), float(one.data[_DISTANCE]))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, _SCALARS):
        return value
    match value:
        case Timestamp():
            return _EPOCH + timedelta(microseconds=value.micros)
        case values.Vector():
            return Vector(value.values)
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    return value


def _query(query: ports.Query) -> model.Query:
    parent, _, collection = query.collection.rpartition("/")
    filters = tuple(_filter(*condition) for condition in query.where)
    order = () if query.order_by is None else (model.Order((query.order_by,), query.descending),)
    return model.Query(
        parent=parent,
        collection=collection,
        descendants=query.group,
        where=model.Composite("and", filters) if filters else None,
        order_by=order,
        limit=query.limit,
    )


def _filter(field: str, operator: str, value: Any) -> model.FieldFilter:
    path = parse_field_path(field)
    if value is None and operator == "==":
        return model.FieldFilter(path, model.Operator.IS_NULL)
    return model.FieldFilter(path, _OPERATORS[operator], _value(value))
