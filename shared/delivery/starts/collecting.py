"""Collects events until they are enough for a run, then publishes them as one event.

Who is in which batch is written down before anything is published, so that a batch is the same
however often it is published; that it was is made sure of by sweep. Nothing is counted in a
document: how many wait is asked of the events themselves.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.scope import JSON
from shared.domain.envelope import Message
from shared.domain.events import Event
from shared.domain.expressions import evaluate
from shared.domain.model import Json
from shared.domain.records import EventRecord, event_path
from shared.domain.starts.batches import MOST, ROOM, Batch, next_size, taken
from shared.domain.starts.by_name import by_name
from shared.domain.starts.collected import (
    COLLECTION,
    SOURCE,
    CollectedRecord,
    batch_id,
    collected_path,
    line_of,
)
from shared.domain.starts.lanes import ControlRecord, control_path
from shared.errors import (
    AlreadyExistsError,
    ClaimBusyError,
    Conflict,
    ExpressionError,
    InputInvalidError,
)
from shared.ports import Condition, Create, Document, Query, Update, Write

LINES_A_TICK = 200
_ROUNDS = 10
_TRIES = 5
_AGAIN = timedelta(seconds=60)  # how long it goes unnoticed that a batch was not published


@dataclass(frozen=True)
class Collecting:
    """An event about to be collected for a flow."""

    flow: str
    batch: Batch
    event: Event
    key: Json
    bytes: int

    @property
    def line(self) -> str:
        return line_of(self.flow, json.dumps(self.key, sort_keys=True, ensure_ascii=False))


def collecting(flow: str, batch: Batch, event: Event) -> Collecting:
    """Raises ExpressionError, InputInvalidError."""
    variables = event.variables()
    key = None if batch.key is None else evaluate(batch.key, {"event": variables})
    try:
        json.dumps(key, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise ExpressionError(f"`{batch.key}` gives no JSON value: {error}") from error
    size = len(json.dumps(variables, ensure_ascii=False).encode()) + 2
    if size > ROOM:
        raise InputInvalidError(f"flow {flow!r}: {size:,} bytes; a batch has room for {ROOM:,}")
    return Collecting(flow, batch, event, key, size)


async def collect(wanted: Collecting, deps: Deps) -> None:
    """Once for each event, however often it comes; publishes the batch that it makes full."""
    now, batch = deps.clock.now(), wanted.batch
    record = CollectedRecord(
        line=wanted.line,
        flow=wanted.flow,
        key=wanted.key,
        event_key=wanted.event.key,
        correlation_id=wanted.event.correlation_id,
        size=batch.size,
        wait=batch.wait,
        adaptive=batch.adaptive,
        max=batch.max or MOST,
        bytes=wanted.bytes,
        at=now,
        due=now + timedelta(seconds=batch.wait),
        expire_at=deps.expire_at(),
    )
    with suppress(AlreadyExistsError):
        path = collected_path(wanted.line, wanted.event.key)
        await deps.store.commit([Create(path, record.document())])
    size = batch.size
    if batch.adaptive:
        size = _size(await deps.store.get(control_path(wanted.line)), record)
    is_large = wanted.bytes > ROOM // size  # such ones alone can fill a batch before its time
    if is_large or await deps.store.count(_waiting(wanted.line)) >= size:
        await _close_all(wanted.line, deps)


async def publish_due(deps: Deps) -> int:
    """Publishes the batches whose time has come, the longest overdue first; returns how many.

    One that cannot be published is told of by what is raised, when all others are.
    """
    published = 0
    for _ in range(_ROUNDS):
        query = Query(
            COLLECTION, (("due", "<=", deps.clock.now()),), order_by="due", limit=LINES_A_TICK
        )
        lines: set[str] = set()
        for found in await deps.store.find(query):
            record = CollectedRecord.of(found.data)
            if not record.open:
                await _publish(found, deps)
            elif record.line not in lines:
                lines.add(record.line)
                with suppress(ClaimBusyError):  # somebody else is at it
                    published += await _close_all(record.line, deps)
        if not lines:
            break
    return published


def _waiting(line: str, limit: int | None = None) -> Query:
    where: tuple[Condition, ...] = (("line", "==", line), ("open", "==", True))
    return Query(COLLECTION, where, order_by="at" if limit else None, limit=limit)


async def _close_all(line: str, deps: Deps) -> int:
    closed = 0
    while await _close(line, deps):
        closed += 1
    return closed


async def _close(line: str, deps: Deps) -> bool:
    """Closes and publishes the oldest batch, if it is full or has waited long enough."""
    for _ in range(_TRIES):
        oldest = await deps.store.find(_waiting(line, 1))
        if not oldest:
            return False
        record = CollectedRecord.of(oldest[0].data)
        stands = await deps.store.get(control_path(line)) if record.adaptive else None
        size = _size(stands, record)
        found = await deps.store.find(_waiting(line, size))
        count, is_full = taken([one.data["bytes"] for one in found], size)
        now = deps.clock.now()
        if not found or (not is_full and (record.due is None or record.due > now)):
            return False
        batch = batch_id(line, CollectedRecord.of(found[0].data).event_key)
        writes = _closing(found[:count], batch, now)
        if record.adaptive:
            filled_in = (now - record.at).total_seconds() if is_full else None
            following = next_size(size, record.max, record.wait, filled_in)
            writes.append(_adapt(stands, line, record, following, deps))
        try:
            written = await deps.store.commit(writes)
        except Conflict:
            continue  # somebody else has closed it
        reach("committed")
        leader = {**found[0].data, **writes[0].data}  # type: ignore[union-attr]
        await _publish(Document(found[0].path, leader, written[0].revision), deps)
        reach("emitted")
        return True
    raise ClaimBusyError(f"the batch {line}")


def _closing(found: Sequence[Document], batch: str, now: datetime) -> list[Write]:
    closed = {"open": False, "batch": batch}
    first, *others = found
    return [
        Update(first.path, {**closed, "due": now + _AGAIN}, first.revision),
        *(Update(one.path, {**closed, "due": None}, one.revision) for one in others),
    ]


# -- the size that follows the load -------------------------------------------------------------


def _size(stands: Document | None, record: CollectedRecord) -> int:
    size = ControlRecord.of(stands.data).batch_size if stands is not None else None
    return min(size, record.max) if record.adaptive and size is not None else record.size


def _adapt(
    stands: Document | None, line: str, record: CollectedRecord, size: int, deps: Deps
) -> Write:
    key = json.dumps(record.key, ensure_ascii=False)[:200]
    fields = {"batch_size": size, "expire_at": deps.expire_at()}
    if stands is not None:
        serial = ControlRecord.of(stands.data).serial + 1
        return Update(stands.path, {**fields, "serial": serial}, stands.revision)
    fresh = ControlRecord(flow=record.flow, key=key, batch_size=size, expire_at=deps.expire_at())
    return Create(control_path(line), fresh.document())


# -- the event that stands for all --------------------------------------------------------------


async def _publish(leader: Document, deps: Deps) -> None:
    """Publishes a batch by what is written down of it: the same event each time."""
    first = CollectedRecord.of(leader.data)
    query = Query(COLLECTION, (("batch", "==", first.batch),))
    members = [CollectedRecord.of(one.data) for one in await deps.store.find(query)]
    members.sort(key=lambda member: (member.at, member.event_key))
    found = await deps.store.get_many([event_path(member.event_key) for member in members])
    events = [EventRecord.of(one.data).read().variables() for one in found if one is not None]
    await deps.bus.publish("events", [_message(first, events)])
    with suppress(Conflict):  # another one has published it, too
        await deps.store.commit([Update(leader.path, {"due": None}, leader.revision)])


def _message(first: CollectedRecord, events: Sequence[dict[str, Any]]) -> Message:
    data = json.dumps({"key": first.key, "events": events}, ensure_ascii=False)
    attributes = {
        **by_name(first.flow),
        "ce-specversion": "1.0",
        "ce-id": str(first.batch),
        "ce-source": f"{SOURCE}/{first.line}",
        "correlationid": first.correlation_id,
        "content-type": JSON,
    }
    return Message(data.encode(), attributes)
