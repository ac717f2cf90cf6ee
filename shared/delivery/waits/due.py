"""Takes up steps whose time has come: what was put off is sent once more, and waits end.

A missed tick loses nothing, as what is due stays due until all that follows has been sent. Sent
twice, a step is claimed once; a wait ends once, as its record is fenced.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from shared.delivery.children.homecoming import Homecoming
from shared.delivery.commands.holding import held_back
from shared.delivery.deps import Deps
from shared.delivery.maps.opening import Maps
from shared.delivery.runs.opening import pinned_scope
from shared.delivery.scope import Scope, variables_at
from shared.delivery.settling import Settler
from shared.delivery.waits.waking import Waking
from shared.domain.agents.notes import Begun
from shared.domain.envelope import Message
from shared.domain.instances import instance_of
from shared.domain.records import RunRecord, StepRecord, run_path, step_path
from shared.errors import Conflict, Permanent
from shared.ports import Document, Query, Update

DUE_A_TICK = 500


async def take_up_due(deps: Deps) -> int:
    """Sends the steps that are due, the longest overdue first; returns how many.

    One that cannot be sent is told of and does not keep the others back.
    """
    now = deps.clock.now()
    query = Query("steps", (("due", "<=", now),), order_by="due", limit=DUE_A_TICK, group=True)
    sent = 0
    for found in await deps.store.find(query):
        try:
            sent += await take_up(found, deps)
        except Permanent as error:
            deps.telemetry.log("ERROR", f"{found.path} is due and cannot be sent: {error}")
    return sent


async def take_up(found: Document, deps: Deps) -> bool:
    """Sends one step that is due, or ends its wait; whether there was anything to send."""
    record = StepRecord.of(found.data)
    run = await deps.store.get(run_path(record.run_id))
    if record.awaited is not None or record.child is not None or isinstance(record.agent, Begun):
        return await _end_wait(found, run, deps)
    if run is not None and RunRecord.of(run.data).is_paused:
        await _hold(found, record, deps)
        return False
    message = None
    if run is not None and not RunRecord.of(run.data).status.is_final:
        message = await _message(record, run, deps)
    if message is not None:
        topic, sent = message
        await deps.bus.publish(topic, [sent])
    with suppress(Conflict):  # it has been claimed since
        await deps.store.commit([Update(found.path, {"due": None}, found.revision)])
    return message is not None


async def _hold(found: Document, record: StepRecord, deps: Deps) -> None:
    """It was put off when its run was paused already."""
    with suppress(Conflict):  # it has been claimed since
        held = StepRecord.fields_of(held_back(record) or {})
        await deps.store.commit([Update(found.path, held, found.revision)])


async def _end_wait(found: Document, run: Document | None, deps: Deps) -> bool:
    """Ends a wait, or finishes what follows from its end; one of a run that has ended is left."""
    record = StepRecord.of(found.data)
    is_over = run is None or RunRecord.of(run.data).status.is_final
    if run is None or (is_over and not record.status.is_final):
        await deps.store.commit([Update(found.path, {"due": None}, found.revision)])
        return False
    scope = await pinned_scope(run, deps)
    await _waker(record, deps, scope).time_is_up(found)
    return True


class _Timed(Protocol):
    """What ends steps whose time is up."""

    async def time_is_up(self, found: Document) -> None: ...


def _waker(record: StepRecord, deps: Deps, scope: Scope) -> _Timed:
    if isinstance(record.agent, Begun):
        # Loaded where a flow has agents.
        from shared.delivery.agents.ends import AgentEnds  # noqa: PLC0415

        return AgentEnds(deps, scope, Settler(deps, scope))
    return Waking(deps, scope) if record.child is None else Homecoming(deps, scope)


async def _message(record: StepRecord, found: Document, deps: Deps) -> tuple[str, Message] | None:
    """The message that resumes the step; None where nobody waits for it any more."""
    scope = await pinned_scope(found, deps)
    instance, resumes = instance_of(record.step), len(record.attempts)
    variables = await variables_at(deps.store, scope, instance.step, {})
    if instance.part is not None:
        from shared.delivery.agents.loop import AgentLoop  # noqa: PLC0415 - see above

        loop = AgentLoop(deps, scope, Settler(deps, scope))
        return await loop.message(instance, variables, resumes)
    if instance.index is None:
        return scope.hand_over(record.step, variables, resumes=resumes)
    begun = await deps.store.get(step_path(record.run_id, instance.step))
    mapped = StepRecord.of(begun.data).mapped if begun is not None else None
    if mapped is None or mapped.values is None:
        return None
    return Maps(deps, scope).message(instance, mapped, variables, resumes)
