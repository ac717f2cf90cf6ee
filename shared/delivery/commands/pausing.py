"""Lets nothing more begin in a run, and lets it go on again.

What has not begun is held back by its own record, which a claim meets: no stage reads the run's.
The last command counts, by the time it was published; whoever obeys one makes the records fit the
run as it is by then. So one that comes late, or twice, does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.delivery.commands.holding import held_back, let_go
from shared.delivery.commands.marking import Mark, mark_unfinished
from shared.delivery.deps import Deps
from shared.delivery.frontier import send_frontier, status_now
from shared.delivery.handled import Handled, Received
from shared.domain.chain import StepStatus
from shared.domain.commands import Pause, Resume
from shared.domain.events import Event
from shared.domain.records import RunRecord, StepRecord, run_path, step_path
from shared.errors import ClaimBusyError, StaleError
from shared.ports import Document, Update

_TRIES = 5  # at a run that somebody else is pausing or resuming
_HELD = {"held": True}
_RESUMED: Mapping[str, Any] = {"paused_at": None, "paused_by": None, "pause_reason": None}


async def pause(command: Pause, event: Event, received: Received, deps: Deps) -> Handled:
    """Obeys a command to pause."""
    del event
    paused = {
        "paused_at": received.delivery.published_at,
        "paused_by": command.by,
        "pause_reason": command.reason,
    }
    return await _turn(command.run, paused, received, deps)


async def resume(command: Resume, event: Event, received: Received, deps: Deps) -> Handled:
    """Obeys a command to resume."""
    del event
    return await _turn(command.run, _RESUMED, received, deps)


async def _turn(run_id: str, fields: Mapping[str, Any], received: Received, deps: Deps) -> Handled:
    """Raises ClaimBusyError where the run keeps changing."""
    at = received.delivery.published_at
    for _ in range(_TRIES):
        found = await deps.store.get(run_path(run_id))
        run = RunRecord.of(found.data) if found is not None else None
        if found is None or run is None or run.status.is_final:
            verb = "resumed" if fields is _RESUMED else "paused"
            why = "there is none" if run is None else f"it has {run.status} already"
            deps.telemetry.log("WARNING", f"run {run_id} cannot be {verb}: {why}")
            return Handled("no-run" if run is None else "run-ended")
        if run.steered_at is None or run.steered_at < at:
            turned = RunRecord.fields_of({**fields, "steered_at": at})
            try:
                await deps.store.commit([Update(found.path, turned, found.revision)])
            except StaleError:
                continue
        return await _fit(run_id, deps)
    raise ClaimBusyError(f"run {run_id} keeps changing")


async def _fit(run_id: str, deps: Deps) -> Handled:
    """Makes the records fit the run, again where it is paused or resumed meanwhile."""
    before: RunRecord | None = None
    for _ in range(_TRIES):
        found = await deps.store.get(run_path(run_id))
        run = RunRecord.of(found.data) if found is not None else None
        if found is None or run is None or run.status.is_final:
            return Handled("run-ended")
        if before is not None and before.steered_at == run.steered_at:
            return Handled("resumed" if run.paused_at is None else "paused")
        if run.paused_at is None:
            await _let_go(found, run, deps)
        else:
            await mark_unfinished(run, Mark(held_back, _HELD), deps)
        before = run
    raise ClaimBusyError(f"run {run_id} keeps being paused and resumed")


async def _let_go(found: Document, run: RunRecord, deps: Deps) -> None:
    """Sends what its pause has kept back. Its maps see to their own items.

    The run may fail or be cancelled meanwhile, which its steps tell: what stopped it is not sent.
    """
    version = await deps.flows.pinned(run.flow, run.flow_version)
    await mark_unfinished(run, Mark(let_go), deps, items=False)
    if run.is_in_line:
        return  # it begins when it is its turn
    paths = [step_path(run.run_id, name) for name in version.flow.steps]
    steps = [StepRecord.of(one.data) for one in await deps.store.get_many(paths) if one is not None]
    statuses = {step.step: status_now(step) for step in steps}
    under_way = {step.step for step in steps if step.status.is_final or _is_under_way(step)}
    await send_frontier(found, version, statuses, deps, under_way=under_way)


def _is_under_way(step: StepRecord) -> bool:
    """Whether a message of its own, or a tick, carries the step on; a pause has taken none away."""
    is_working = step.status is StepStatus.RUNNING and not step.has_parts
    return is_working or step.status is StepStatus.WAITING or step.due is not None
