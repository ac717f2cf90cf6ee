"""Opens runs: one for each flow an event starts, at most one for each (flow, event).

A second publication of the event changes nothing; a redelivery of the message that opened the run
sends its first steps again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Received
from shared.delivery.progress import REPEATED, Progress
from shared.delivery.runs.aftermath import announce, must_hear
from shared.delivery.scope import Scope, trace_of
from shared.delivery.starts.admission import FREE, Admission, Gate
from shared.delivery.telling import tell_opened
from shared.domain import chain, ids
from shared.domain.budgets.records import owners_in
from shared.domain.chain import Advance
from shared.domain.events import REDRIVE, Event, extensions
from shared.domain.records import (
    EventRecord,
    Failure,
    RunRecord,
    RunStatus,
    event_path,
    run_path,
)
from shared.domain.rollouts.judges import JUDGED_RUN
from shared.domain.rollouts.picks import FALLBACK_OF, NO_PICKS, Picks, flows_of
from shared.domain.starts.by_name import FAILED_RUN, START, ParentRef, parent_of
from shared.domain.starts.priorities import attribute_of
from shared.domain.trace import parse_traceparent
from shared.domain.version import FlowVersion
from shared.errors import AlreadyExistsError, ClaimBusyError, Conflict, SegueError, StaleError
from shared.ports import Create, Document, Increment, Update, Write, Written

NOT_YET = ""  # revision of a run that is being created in the same commit
_TRIES = 5  # others of the same keys are let in between


@dataclass(frozen=True)
class Opening:
    """A run about to be opened. With `refusal` it is opened as failed, for people to see."""

    version: FlowVersion
    event: Event
    refusal: SegueError | None = None
    picks: Picks = NO_PICKS

    @property
    def run_id(self) -> str:
        return ids.run_id(self.version.flow.flow, self.event.key)

    @property
    def is_controlled(self) -> bool:
        """Whether it may have to wait; what is refused does not."""
        return self.refusal is None and self.version.flow.is_controlled

    def carried(self, attributes: Mapping[str, str]) -> dict[str, str]:
        """Attributes of the event's message that all messages of the run carry."""
        said, _ = self.priority
        return extensions({**attributes, **said})

    @cached_property
    def priority(self) -> tuple[Mapping[str, str], str | None]:
        """What the flow says of it, as an attribute, and what is wrong with that, if anything."""
        return attribute_of(self.version.flow.priority, self.event.variables())


@dataclass(frozen=True)
class _Drawn:
    """An opening as it stands now: whether it is let in, and what the commit must hold."""

    opening: Opening
    admission: Admission
    plan: Advance
    writes: Sequence[Write]

    @property
    def run(self) -> Mapping[str, Any]:
        """The run's document."""
        assert isinstance(self.writes[0], Create)
        return self.writes[0].data


class Opener:
    """Opens the runs of one delivered event. `waiting` are the keys for which one has to wait."""

    def __init__(self, deps: Deps, received: Received, event: Event) -> None:
        self.waiting: list[str] = []
        self._deps = deps
        self._received = received
        self._event = event
        self._message = received.delivery.message
        self._now = deps.clock.now()
        self._trace = trace_of(self._message, event.correlation_id).child(received.span_id)

    async def open_all(self, openings: Sequence[Opening]) -> None:
        """Stores the event and its runs in one commit, then sends the first steps of those that
        begin. Raises ClaimBusyError.
        """
        for opening in openings:
            if (trouble := opening.priority[1]) is not None:
                told = f"the priority of {opening.run_id} is normal: {trouble}"
                self._deps.telemetry.log("WARNING", told)
            await self._deps.flows.ensure_stored(opening.version, stored_at=self._deps.clock.now())
        event = self._event_write(openings)
        for _ in range(_TRIES):
            drawn = [await self._draw(opening) for opening in openings]
            try:
                written = await self._deps.store.commit(
                    [event, *(w for d in drawn for w in d.writes)]
                )
            except Conflict:
                fenced = any(opening.is_controlled for opening in openings)
                if fenced and await self._deps.store.get(event.path) is None:
                    continue  # another run of the same key was let in since
                await self._open_one_by_one(openings, event)
            else:
                await self._begin_all(drawn, written[1:])
            return
        raise ClaimBusyError(f"event {self._event.id!r}")

    async def _begin_all(self, drawn: Sequence[_Drawn], written: Sequence[Written]) -> None:
        for one in drawn:  # all of them, before anything can fail
            tell_opened(self._deps, one.run)
        reach("committed")
        at = 0
        for one in drawn:
            await self._begin(one, written[at : at + len(one.writes)])
            at += len(one.writes)
        reach("emitted")

    async def _open_one_by_one(self, openings: Sequence[Opening], event_write: Write) -> None:
        """Some of it is there already: the event was published or delivered before."""
        try:
            await self._deps.store.commit([event_write])
        except AlreadyExistsError:
            self._received.describe({}, duplicate_event=True)
            await self._require_same_flows(openings)
        for opening in openings:
            await self._open_one(opening)

    async def _require_same_flows(self, openings: Sequence[Opening]) -> None:
        """Another copy of the event may have got other flows meanwhile; those count."""
        picked = flows_of(opening.picks for opening in openings)
        found = await self._deps.store.get(event_path(self._event.key)) if picked else None
        if found is not None and EventRecord.of(found.data).variants != picked:
            raise ClaimBusyError(f"event {self._event.id!r}")

    async def _open_one(self, opening: Opening) -> None:
        for _ in range(_TRIES):
            found = None
            if opening.is_controlled:  # else it is there seldom enough to be tried first
                found = await self._deps.store.get(run_path(opening.run_id))
            if found is None:
                drawn = await self._draw(opening)
                try:
                    written = await self._deps.store.commit(drawn.writes)
                except Conflict:
                    found = await self._deps.store.get(run_path(opening.run_id))
                else:
                    tell_opened(self._deps, drawn.run)
                    if opening.picks.shadow_of is None:
                        await self._note_run(opening.run_id)
                    await self._begin(drawn, written)
                    return
            if found is not None:
                await self._meet(opening, found)
                return
        raise ClaimBusyError(f"event {self._event.id!r}")

    async def _note_run(self, run_id: str) -> None:
        """Adds a run to the event's record: a flow that is newer than the event has taken it."""
        found = await self._deps.store.get(event_path(self._event.key))
        if found is None or run_id in found.data["runs"]:
            return
        update = Update(found.path, {"runs": [*found.data["runs"], run_id]}, found.revision)
        with suppress(StaleError):  # another copy of the event is adding it
            await self._deps.store.commit([update])

    async def _draw(self, opening: Opening) -> _Drawn:
        admission, plan = FREE, Advance()
        if opening.is_controlled:
            variables = {"event": self._event.variables()}
            gate = Gate(self._deps, opening.version.flow, opening.run_id, variables)
            admission = await gate.decide()
        if opening.refusal is None and admission.begins:
            plan = chain.start(opening.version.flow, self._variables(opening))
        writes = [*self._run_writes(opening, admission, plan), *admission.writes]
        return _Drawn(opening, admission, plan, writes)

    def _variables(self, opening: Opening) -> dict[str, Any]:
        run = {
            "id": opening.run_id,
            "flow": opening.version.flow.flow,
            "correlation_id": self._event.correlation_id,
        }
        return {"event": self._event.variables(), "run": run}

    # -- writes -----------------------------------------------------------------------------

    def _event_write(self, openings: Sequence[Opening]) -> Create:
        record = EventRecord(
            event=self._event.model_dump(mode="json"),
            type=self._event.type,
            source=self._event.source,
            correlation_id=self._event.correlation_id,
            time=self._event.time,
            stored_at=self._deps.clock.now(),
            message_id=self._received.delivery.message_id,
            runs=[opening.run_id for opening in openings if opening.picks.shadow_of is None],
            variants=flows_of(opening.picks for opening in openings),
            expire_at=self._deps.expire_at(),
        )
        return Create(event_path(self._event.key), record.document())

    def _run_writes(
        self, opening: Opening, admission: Admission, plan: Advance
    ) -> list[Create | Increment]:
        """The run first, then what its first steps skip. A flow of skips ends at once."""
        progress = Progress(self._deps, self._scope(opening, NOT_YET))
        document = self._record(opening).document() | RunRecord.fields_of(admission.fields)
        if plan.ends:
            document |= progress.end.write(self._variables(opening), NOT_YET).data
        return [Create(run_path(opening.run_id), document), *progress.writes(plan)]

    def _record(self, opening: Opening) -> RunRecord:
        now, parent, picks = self._now, self._parent(), opening.picks
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
            hook_of=self._message.attributes.get(FAILED_RUN),
            budgets=self._budgets(),
            unheard=must_hear(opening.version.flow, awaited=bool(parent) or picks.must_hear),
            extensions=opening.carried(self._message.attributes),
            variants=dict(picks.variants),
            trials=dict(picks.trials),
            fallback=picks.fallback,
            shadow_of=picks.shadow_of,
            fallback_of=self._message.attributes.get(FALLBACK_OF),
            judge_of=self._message.attributes.get(JUDGED_RUN),
            expire_at=self._deps.expire_at(),
        )
        if opening.refusal is None:
            return record
        failed = {"status": RunStatus.FAILED, "error": Failure.of(opening.refusal)}
        return record.model_copy(update={**failed, "finished_at": now, "deadline": None})

    def _budgets(self) -> list[str]:
        """Those above a run that another one opens, which its calls count against."""
        is_child = self._event.type == START
        return owners_in(self._message.attributes) if is_child else []

    def _parent(self) -> ParentRef | None:
        waiting = parent_of(self._message.attributes)
        return ParentRef(run_id=waiting[0], step=waiting[1]) if waiting is not None else None

    # -- messages ---------------------------------------------------------------------------

    async def _begin(self, drawn: _Drawn, written: Sequence[Written]) -> None:
        if drawn.admission.key is not None:
            self.waiting.append(drawn.admission.key)
        if drawn.admission.begins:
            progress = Progress(self._deps, self._scope(drawn.opening, written[0].revision))
            await progress.follow(drawn.plan, written, self._variables(drawn.opening))
        await self._announce(RunRecord.of(drawn.run))

    async def _announce(self, run: RunRecord) -> None:
        if run.status.is_final:
            await announce(run, self._deps)

    async def _meet(self, opening: Opening, found: Document) -> None:
        """The run is there. Its opener's redelivery sends again, and so does a redrive, which opens
        it anew where it was refused; anybody else has no part in it.
        """
        run = RunRecord.of(found.data)
        redriven = self._message.redrives > run.redrives
        opener = run.opened_by == self._received.delivery.message_id
        if run.was_refused and redriven:
            await self._open_anew(opening, found)
        elif run.is_in_line:
            self.waiting.extend([run.control] if run.control else [])
        elif not run.status.is_final and (redriven or opener):
            await self._send_again(opening, found, run)
        elif opener:
            await self._announce(run)

    async def _open_anew(self, opening: Opening, found: Document) -> None:
        drawn = await self._draw(opening)
        _, *others = drawn.writes
        written = await self._deps.store.commit(
            [Update(found.path, drawn.run, found.revision), *others]
        )
        tell_opened(self._deps, drawn.run, again=True)
        await self._begin(drawn, written)

    async def _send_again(self, opening: Opening, found: Document, run: RunRecord) -> None:
        version = await self._deps.flows.pinned(run.flow, run.flow_version)
        pinned = replace(opening, version=version)
        plan = chain.start(version.flow, self._variables(pinned))
        scope = scope_of_run(run, found, version)
        await Progress(self._deps, scope).follow(plan, REPEATED, self._variables(pinned))

    def _scope(self, opening: Opening, revision: str) -> Scope:
        pins = self._record(opening).pins(revision)
        carried = opening.carried(self._message.attributes)
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
