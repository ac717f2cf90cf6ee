"""The Store in Firestore: one batch commit for all writes, no transactions, every call bounded.

Must not decide what a conflict means: a commit whose answer was lost is sent again and then met
by its own precondition, which the step protocol tells apart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from google.api_core.exceptions import GoogleAPIError
from google.api_core.retry import AsyncRetry
from google.cloud.firestore import AsyncClient, AsyncWriteBatch, FieldFilter, Increment, Query
from google.cloud.firestore_v1 import vector
from google.cloud.firestore_v1.base_vector_query import DistanceMeasure

from shared import ports
from shared.adapters.firestore_errors import commit_error, is_passing, read_error
from shared.document_size import require_committable
from shared.domain.retrieval.vectors import Vector
from shared.errors import ActionFailedError, StaleError

PATIENCE = 10.0  # seconds for all tries of a call together
_ATTEMPT = 5.0  # seconds for one try: one that hangs must leave time for another
_DISTANCE = "distance-of-search"  # no field of a document of ours
_T = TypeVar("_T")


def build_client(project: str, database: str | None = None) -> AsyncClient:
    """A client for the running event loop; FIRESTORE_EMULATOR_HOST is honoured."""
    return AsyncClient(project=project, database=database)


class FirestoreStore:
    """Implements `Store`. `patience` bounds the retries of one call, in seconds."""

    def __init__(self, client: AsyncClient, *, patience: float = PATIENCE) -> None:
        self._client = client
        self._patience = patience

    async def close(self) -> None:
        """Ends its connections. Nothing may be under way."""
        api = self._client._firestore_api_internal  # noqa: SLF001 - the client's own close forgets it
        if api is not None:
            await api.transport.close()

    async def commit(self, writes: Sequence[ports.Write]) -> list[ports.Written]:
        if not writes:
            return []
        require_committable(writes)
        batch = self._batch(writes)
        try:
            # An attempt that hangs is cut off by `timeout`; without `retry` of its own the
            # client would go on for a minute.
            results = await self._bounded(lambda: batch.commit(retry=None, timeout=_ATTEMPT))
        except GoogleAPIError as error:
            raise commit_error(error) from error
        return [_written(*pair) for pair in zip(writes, results, strict=True)]

    def _batch(self, writes: Sequence[ports.Write]) -> AsyncWriteBatch:
        batch = self._client.batch()
        for write in writes:
            try:
                self._add(batch, write)
            except (TypeError, ValueError) as error:
                message = f"Firestore cannot hold the data of {write.path}: {error}"
                raise ActionFailedError(message) from error
        return batch

    def _add(self, batch: AsyncWriteBatch, write: ports.Write) -> None:
        reference = self._client.document(write.path)
        match write:
            case ports.Create():
                batch.create(reference, _sent(write.data))
            case ports.Update():
                at = self._client.write_option(last_update_time=_timestamp(write))
                batch.update(reference, _sent(write.data), option=at)
            case ports.Put():
                batch.set(reference, _sent(write.data))
            case ports.Increment():
                raised = {name: Increment(amount) for name, amount in write.by.items()}
                fields = {**_sent(write.data), **raised}
                batch.set(reference, fields, merge=list(fields))
            case ports.Delete(revision=None):
                batch.delete(reference)
            case ports.Delete():
                at = self._client.write_option(last_update_time=_timestamp(write))
                batch.delete(reference, option=at)

    async def get(self, path: str) -> ports.Document | None:
        [found] = await self.get_many([path])
        return found

    async def get_many(self, paths: Sequence[str]) -> list[ports.Document | None]:
        possible = [path for path in dict.fromkeys(paths) if _may_exist(path)]
        references = [self._client.document(path) for path in possible]

        async def read() -> dict[str, ports.Document]:
            snapshots = self._client.get_all(references, retry=None, timeout=_ATTEMPT)
            return {
                snapshot.reference.path: _document(snapshot)
                async for snapshot in snapshots
                if snapshot.exists
            }

        found = await self._read(read) if references else {}
        return [found.get(path) for path in paths]

    async def find(self, query: ports.Query) -> list[ports.Document]:
        async def read() -> list[ports.Document]:
            snapshots = self._query(query).stream(retry=None, timeout=_ATTEMPT)
            return [_document(snapshot) async for snapshot in snapshots]

        return await self._read(read)

    async def count(self, query: ports.Query) -> int:
        async def read() -> int:
            [[result]] = await self._query(query).count().get(retry=None, timeout=_ATTEMPT)
            return int(result.value)

        return await self._read(read)

    async def nearest(self, query: ports.Nearest) -> list[ports.Near]:
        filtered = self._query(ports.Query(query.collection, query.where))
        search = filtered.find_nearest(
            query.field,
            vector.Vector(query.vector.values),
            query.limit,
            DistanceMeasure.COSINE,
            distance_result_field=_DISTANCE,
            distance_threshold=query.within,
        )

        async def read() -> list[ports.Near]:
            return [_near(one) async for one in search.stream(retry=None, timeout=_ATTEMPT)]

        return await self._read(read)

    def _query(self, query: ports.Query) -> Any:
        named = self._client.collection_group if query.group else self._client.collection
        found: Any = named(query.collection)
        for field, operator, value in query.where:
            found = found.where(filter=FieldFilter(field, operator, value))
        if query.order_by is not None:
            direction = Query.DESCENDING if query.descending else Query.ASCENDING
            found = found.order_by(query.order_by, direction=direction)
        return found if query.limit is None else found.limit(query.limit)

    async def _read(self, read: Callable[[], Awaitable[_T]]) -> _T:
        try:
            return await self._bounded(read)
        except GoogleAPIError as error:
            raise read_error(error) from error

    async def _bounded(self, call: Callable[[], Awaitable[_T]]) -> _T:
        retry = AsyncRetry(predicate=is_passing, initial=0.1, maximum=2.0, timeout=self._patience)
        result: _T = await retry(call)()
        return result


def _may_exist(path: str) -> bool:
    """Whether a path can name a document: to ask for another would be an error, not a miss."""
    parts = path.split("/")
    reserved = any(part in {".", ".."} or part.startswith("__") for part in parts)
    return len(parts) % 2 == 0 and all(parts) and not reserved


def _timestamp(write: ports.Update | ports.Delete) -> Any:
    try:
        stamp: Any = DatetimeWithNanoseconds.from_rfc3339(write.revision or "")  # type: ignore[no-untyped-call]
    except ValueError:
        # No document was ever at such a revision.
        raise StaleError(f"{write.path} is not at revision {write.revision!r}") from None
    return stamp.timestamp_pb()


def _written(write: ports.Write, result: Any) -> ports.Written:
    revision = result.update_time.rfc3339() if result.update_time else ""
    if not isinstance(write, ports.Increment):
        return ports.Written(revision)
    # The client sends the transforms of a write sorted by field; results come in that order.
    values = (value.integer_value for value in result.transform_results)
    return ports.Written(revision, dict(zip(sorted(write.by), values, strict=True)))


def _near(snapshot: Any) -> ports.Near:
    found = _document(snapshot)
    data = {name: value for name, value in found.data.items() if name != _DISTANCE}
    return ports.Near(replace(found, data=data), float(found.data[_DISTANCE]))


def _sent(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as the client takes them. Vectors are fields of their own, never in maps."""
    return {
        name: vector.Vector(value.values) if isinstance(value, Vector) else value
        for name, value in data.items()
    }


def _document(snapshot: Any) -> ports.Document:
    data = {name: _plain(value) for name, value in snapshot.to_dict().items()}
    return ports.Document(snapshot.reference.path, data, _revision(snapshot.update_time))


def _revision(update_time: Any) -> str:
    """Queries of a collection group give the time as it came over the wire, others a datetime."""
    if not isinstance(update_time, datetime):
        update_time = DatetimeWithNanoseconds.from_timestamp_pb(update_time)  # type: ignore[no-untyped-call]
    return str(update_time.rfc3339())


def _plain(value: Any) -> Any:
    match value:
        case datetime():  # Google's subclass, which adds nanoseconds
            return datetime.fromtimestamp(value.timestamp(), UTC).replace(
                microsecond=value.microsecond
            )
        case vector.Vector():
            return Vector(tuple(value))
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
        case list():
            return [_plain(item) for item in value]
    return value
