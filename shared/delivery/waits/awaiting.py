"""Brings events to the steps that wait for them, by type and key, and waits to events before them.

`route` stores an event before it looks for waits, and a wait is recorded before its opener looks
for earlier events: one of the two always sees the other. An event may end waits of many runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.runs.opening import pinned_scope
from shared.delivery.scope import Scope, variables_at
from shared.delivery.waits.waking import Came, Waking
from shared.domain.chain import StepStatus
from shared.domain.events import Event
from shared.domain.expressions import evaluate, holds
from shared.domain.records import EventRecord, RunRecord, StepRecord, run_path, step_path
from shared.domain.step import WaitStep
from shared.domain.waiting import ForEvent, awaited_path, keys_in, match_of
from shared.errors import ClaimLostError, ExpressionError, Permanent
from shared.ports import Condition, Document, Query

_TRIES = 3  # at a record that others are writing
_PAGE = 300  # events looked at together
_PAGES = 20  # and that often at most


async def bring(event: Event, deps: Deps) -> int:
    """Ends the waits for this event, which is stored; returns how many. One read where none are.

    One that cannot be ended is told of and does not keep the others back.
    """
    awaited = await deps.store.get(awaited_path(event.type))
    if awaited is None:
        return 0
    met = 0
    for key in keys_in(awaited.data):
        match = _match(key, event)
        if match is None:
            continue
        where: tuple[Condition, ...] = (
            ("matches", "==", match),
            ("status", "==", StepStatus.WAITING.value),
        )
        for found in await deps.store.find(Query("steps", where, group=True)):
            try:
                met += await _bring_to(found, event, deps)
            except Permanent as error:
                deps.telemetry.log("ERROR", f"{found.path} cannot take its event: {error}")
    return met


def _match(key: str, event: Event) -> str | None:
    """What waits by this key for the event are found by; None where it has no such key."""
    try:
        value = evaluate(key, {"event": event.variables()})
        return None if value is None else match_of(event.type, key, value)
    except (ExpressionError, TypeError, ValueError):  # or its key is no JSON
        return None


async def _bring_to(found: Document, event: Event, deps: Deps) -> bool:
    record = StepRecord.of(found.data)
    run = await deps.store.get(run_path(record.run_id))
    if run is None or RunRecord.of(run.data).status.is_final:
        return False
    return await _Meeting(record, deps, await pinned_scope(run, deps)).meets(event)


async def look_back(record: StepRecord, deps: Deps, scope: Scope) -> None:
    """Ends the wait with the earliest event for it since its run was opened, if there is one."""
    wait = _declared(record, scope)
    meeting = _Meeting(record, deps, scope)
    async for event in _earlier(wait.type, deps, scope):
        if _match(wait.key, event) == record.matches and await meeting.meets(event):
            return


async def _earlier(event_type: str, deps: Deps, scope: Scope) -> AsyncIterator[Event]:
    """Stored events of a type since the run was opened, in order, without the run's own."""
    since = scope.run.started_at
    seen: set[str] = {scope.run.event_key}
    for _ in range(_PAGES):
        if since is None:  # opened by a deployment that did not say, and knew no waits
            return
        where: tuple[Condition, ...] = (("type", "==", event_type), ("stored_at", ">=", since))
        found = await deps.store.find(Query("events", where, order_by="stored_at", limit=_PAGE))
        for one in found:
            if one.name not in seen:
                seen.add(one.name)
                yield EventRecord.of(one.data).read()
        if len(found) < _PAGE:
            return
        since = found[-1].data["stored_at"]
    told = f"run {scope.run.id} waits for {event_type!r}: not all earlier events were looked at"
    deps.telemetry.log("WARNING", told)


def _declared(record: StepRecord, scope: Scope) -> ForEvent:
    declared = scope.version.flow.steps[record.step]
    assert isinstance(declared, WaitStep)
    assert isinstance(declared.wait, ForEvent)
    return declared.wait


class _Meeting:
    """A wait and the events that may be what it waits for."""

    def __init__(self, record: StepRecord, deps: Deps, scope: Scope) -> None:
        self._record = record
        self._deps = deps
        self._scope = scope
        self._known: dict[str, Any] | None = None

    async def meets(self, event: Event) -> bool:
        """Whether the wait is over, by this event or otherwise. Raises ClaimLostError."""
        if not await self._fits(event):
            return False
        path = step_path(self._record.run_id, self._record.step)
        came = Came(output=event.variables(), by=event.key, is_due=True)
        for _ in range(_TRIES):
            found = await self._deps.store.get(path)
            if found is None or not StepRecord.of(found.data).is_open_wait:
                return True
            try:
                await Waking(self._deps, self._scope).end(found, came)
            except ClaimLostError:
                continue
            return True
        raise ClaimLostError(path)

    async def _fits(self, event: Event) -> bool:
        where = _declared(self._record, self._scope).where
        if where is None:
            return True
        if self._known is None:
            step = self._record.step
            self._known = await variables_at(self._deps.store, self._scope, step, {})
        try:
            return holds(where, {**self._known, "event": event.variables()})
        except ExpressionError as error:
            about = f"step {self._record.step!r} of run {self._record.run_id}, event {event.id!r}"
            self._deps.telemetry.log("WARNING", f"{about}: `where`: {error.detail}")
            return False
