"""Opens runs: one for each flow an event starts, at most one for each (flow, event).

A second publication of the event changes nothing; a redelivery of the message that opened the run
sends its first steps again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from shared.delivery.aftermath import announce, must_hear
from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Received
from shared.delivery.progress import REPEATED, Progress
from shared.delivery.scope import Scope, trace_of
from shared.delivery.telling import tell_opened
from shared.domain import chain, ids
from shared.domain.chain import Advance
from shared.domain.events import REDRIVE, Event, extensions
from shared.domain.records import (
    EventRecord,
    Failure,
    ParentRef,
    RunRecord,
    RunStatus,
    event_path,
    run_path,
)
from shared.domain.starts import parent_of
from shared.domain.trace import parse_traceparent
from shared.domain.version import FlowVersion
from shared.errors import AlreadyExistsError, SegueError, StaleError
from shared.ports import Create, Document, Increment, Update, Write, Written

NOT_YET = ""  # revision of a run that is being created in the same commit


@dataclass(frozen=True)
class Opening:
    """A run about to be opened. With `refusal` it is opened as failed, for people to see."""

    version: FlowVersion
    event: Event
    refusal: SegueError | None = None

    @property
    def run_id(self) -> str:
        return ids.run_id(self.version.flow.flow, self.event.key)


class Opener:
    """Opens the runs of one delivered event."""

    def __init__(self, deps: Deps, received: Received, event: Event) -> None:
        self._deps = deps
        self._received = received
        self._event = event
        self._message = received.delivery.message
        self._now = deps.clock.now()
        self._trace = trace_of(self._message, event.correlation_id).child(received.span_id)

    async def open_all(self, openings: Sequence[Opening]) -> None:
        """Stores the event and its runs in one commit, then sends the runs' first steps."""
        for opening in openings:
            await self._deps.flows.ensure_stored(opening.version, stored_at=self._deps.clock.now())
        plans = [self._plan(opening) for opening in openings]
        runs = [self._run_writes(o, plan) for o, plan in zip(openings, plans, strict=True)]
        event = self._event_write(openings)
        try:
            written = await self._deps.store.commit([event, *(w for run in runs for w in run)])
        except AlreadyExistsError:
            await self._open_one_by_one(openings, plans, event)
            return
        for writes in runs:  # all of them, before anything can fail
            tell_opened(self._deps, writes[0].data)
        reach("committed")
        at = 1  # the first result is the event's
        for opening, plan, writes in zip(openings, plans, runs, strict=True):
            await self._begin(opening, plan, writes, written[at : at + len(writes)])
            at += len(writes)
        reach("emitted")

    async def _open_one_by_one(
        self, openings: Sequence[Opening], plans: Sequence[Advance], event_write: Write
    ) -> None:
        """Some of it is there already: the event was published or delivered before."""
        try:
            await self._deps.store.commit([event_write])
        except AlreadyExistsError:
            self._received.describe({}, duplicate_event=True)
        for opening, plan in zip(openings, plans, strict=True):
            writes = self._run_writes(opening, plan)
            try:
                written = await self._deps.store.commit(writes)
            except AlreadyExistsError:
                await self._meet(opening, plan)
            else:
                tell_opened(self._deps, writes[0].data)
                await self._note_run(opening.run_id)
                await self._begin(opening, plan, writes, written)

    async def _note_run(self, run_id: str) -> None:
        """Adds a run to the event's record: a flow that is newer than the event has taken it."""
        found = await self._deps.store.get(event_path(self._event.key))
        if found is None or run_id in found.data["runs"]:
            return
        update = Update(found.path, {"runs": [*found.data["runs"], run_id]}, found.revision)
        with suppress(StaleError):  # another copy of the event is adding it
            await self._deps.store.commit([update])

    def _plan(self, opening: Opening) -> Advance:
        if opening.refusal is not None:
            return Advance()
        return chain.start(opening.version.flow, self._variables(opening))

    def _variables(self, opening: Opening) -> dict[str, Any]:
        run = {
            "id": opening.run_id,
            "flow": opening.version.flow.flow,
            "correlation_id": self._event.correlation_id,
        }
        return {"event": self._event.variables(), "run": run}

    # -- writes -----------------------------------------------------------------------------

    def _event_write(self, openings: Sequence[Opening]) -> Write:
        record = EventRecord(
            event=self._event.model_dump(mode="json"),
            type=self._event.type,
            source=self._event.source,
            correlation_id=self._event.correlation_id,
            time=self._event.time,
            stored_at=self._deps.clock.now(),
            message_id=self._received.delivery.message_id,
            runs=[opening.run_id for opening in openings],
            expire_at=self._deps.expire_at(),
        )
        return Create(event_path(self._event.key), record.document())

    def _run_writes(self, opening: Opening, plan: Advance) -> list[Create | Increment]:
        """The run first, then what its first steps skip. A flow of skips ends at once."""
        progress = Progress(self._deps, self._scope(opening, NOT_YET))
        document = self._record(opening).document()
        if plan.ends:
            document |= progress.end.write(self._variables(opening), NOT_YET).data
        return [Create(run_path(opening.run_id), document), *progress.writes(plan)]

    def _record(self, opening: Opening) -> RunRecord:
        now, parent = self._now, self._parent()
        record = RunRecord(
            run_id=opening.run_id,
            flow=opening.version.flow.flow,
            flow_version=opening.version.version,
            correlation_id=self._event.correlation_id,
            event_key=self._event.key,
            event_id=self._event.id,
            event_type=self._event.type,
            traceparent=self._trace.traceparent,
            opened_by=self._received.delivery.message_id,
            redrives=self._message.redrives,
            created_at=now,
            deadline=_deadline(opening, now),
            parent=parent,
            unheard=must_hear(opening.version.flow, awaited=parent is not None),
            extensions=extensions(self._message.attributes),
            expire_at=self._deps.expire_at(),
        )
        if opening.refusal is None:
            return record
        failed = {"status": RunStatus.FAILED, "error": Failure.of(opening.refusal)}
        return record.model_copy(update={**failed, "finished_at": now, "deadline": None})

    def _parent(self) -> ParentRef | None:
        waiting = parent_of(self._message.attributes)
        return ParentRef(run_id=waiting[0], step=waiting[1]) if waiting is not None else None

    # -- messages ---------------------------------------------------------------------------

    async def _begin(
        self,
        opening: Opening,
        plan: Advance,
        writes: Sequence[Create | Increment],
        written: Sequence[Written],
    ) -> None:
        progress = Progress(self._deps, self._scope(opening, written[0].revision))
        await progress.follow(plan, written, self._variables(opening))
        await self._announce(RunRecord.of(writes[0].data))

    async def _announce(self, run: RunRecord) -> None:
        if run.status.is_final:
            await announce(run, self._deps)

    async def _meet(self, opening: Opening, plan: Advance) -> None:
        """The run is there. Its opener's redelivery sends again, and so does a redrive, which opens
        it anew where it was refused; anybody else has no part in it.
        """
        found = await self._deps.store.get(run_path(opening.run_id))
        if found is None:
            return
        run = RunRecord.of(found.data)
        redriven = self._message.redrives > run.redrives
        opener = run.opened_by == self._received.delivery.message_id
        if run.was_refused and redriven:
            await self._open_anew(opening, plan, found)
        elif not run.status.is_final and (redriven or opener):
            await self._send_again(opening, found, run)
        elif opener:
            await self._announce(run)

    async def _open_anew(self, opening: Opening, plan: Advance, found: Document) -> None:
        writes = self._run_writes(opening, plan)
        first, *others = writes
        assert isinstance(first, Create)
        written = await self._deps.store.commit(
            [Update(first.path, first.data, found.revision), *others]
        )
        tell_opened(self._deps, first.data, again=True)
        await self._begin(opening, plan, writes, written)

    async def _send_again(self, opening: Opening, found: Document, run: RunRecord) -> None:
        version = await self._deps.flows.pinned(run.flow, run.flow_version)
        pinned = replace(opening, version=version)
        plan = chain.start(version.flow, self._variables(pinned))
        scope = scope_of_run(run, found, version)
        await Progress(self._deps, scope).follow(plan, REPEATED, self._variables(pinned))

    def _scope(self, opening: Opening, revision: str) -> Scope:
        pins = self._record(opening).pins(revision)
        carried = extensions(self._message.attributes)
        return Scope(pins, opening.version, self._trace, carried, cause=self._event.key)


def _deadline(opening: Opening, now: datetime) -> datetime | None:
    timeout = opening.version.flow.timeout
    return now + timedelta(seconds=timeout) if timeout else None


def scope_of_run(run: RunRecord, found: Document, version: FlowVersion) -> Scope:
    """The scope of a stored run: what it was opened with, at its present revision."""
    pins = run.pins(found.revision).model_copy(update={"version": version.version})
    trace = parse_traceparent(run.traceparent)
    assert trace is not None
    carried = {**run.extensions, **({REDRIVE: str(run.redrives)} if run.redrives else {})}
    return Scope(pins, version, trace, carried, cause=run.event_key)


async def pinned_scope(found: Document, deps: Deps) -> Scope:
    """The scope of a stored run, in the version it is pinned to. Raises VersionMissingError."""
    run = RunRecord.of(found.data)
    return scope_of_run(run, found, await deps.flows.pinned(run.flow, run.flow_version))
