"""Ends a run as cancelled, with all of it that has not ended.

The run goes first: from then on no end of its own can be committed. What works on a step loses its
fence; what is under way to one meets a record that has ended. Repeating it does what is left.
"""

from __future__ import annotations

from shared.delivery.commands.marking import Fields, Mark, mark_unfinished
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.runs.aftermath import announce
from shared.delivery.runs.ending import end_of_run
from shared.delivery.telling import tell_ended_run
from shared.domain.chain import StepStatus
from shared.domain.commands import Cancel
from shared.domain.events import Event
from shared.domain.records import Attempt, Failure, RunRecord, RunStatus, StepRecord, run_path
from shared.errors import ClaimBusyError, StaleError

CODE = "RunCancelled"
_TRIES = 5  # at the run's record, which somebody else may be writing


async def cancel(command: Cancel, event: Event, received: Received, deps: Deps) -> Handled:
    """Obeys a command to cancel. A run that has ended otherwise, or is not there, stays so."""
    del event, received  # it is the same whoever says it, and however often
    run = await _cancelled(command, deps)
    if run is None:
        deps.telemetry.log("WARNING", f"run {command.run} cannot be cancelled: there is none")
        return Handled("no-run")
    if run.status is not RunStatus.CANCELLED:
        told = f"run {run.run_id} cannot be cancelled: it has {run.status} already"
        deps.telemetry.log("WARNING", told)
        return Handled("run-ended")
    await mark_unfinished(run, _mark(deps), deps)
    await announce(run, deps)
    return Handled("cancelled")


async def _cancelled(command: Cancel, deps: Deps) -> RunRecord | None:
    """The run as it has ended by now, by this command or before it; None where there is none."""
    for _ in range(_TRIES):
        found = await deps.store.get(run_path(command.run))
        run = RunRecord.of(found.data) if found is not None else None
        if found is None or run is None or run.status.is_final:
            return run
        ending = {"status": RunStatus.CANCELLED, "error": _failure(command)}
        end = end_of_run(deps, run.run_id, found.revision, **ending)
        try:
            await deps.store.commit([end])
        except StaleError:
            continue
        tell_ended_run(deps, found.data, end.data)
        return run.model_copy(update=ending)
    raise ClaimBusyError(f"run {command.run} keeps changing")


def _failure(command: Cancel) -> Failure:
    by = f" by {command.by}" if command.by else ""
    why = f": {command.reason}" if command.reason else ""
    return Failure(code=CODE, message=f"cancelled{by}{why}")


def _mark(deps: Deps) -> Mark:
    now = deps.clock.now()

    def change(record: StepRecord) -> Fields | None:
        if record.status.is_final:
            return None
        freed = {"owner": "", "lease_until": None, "due": None}
        attempts = [_cut_down(attempt) for attempt in record.attempts]
        ended = {"status": StepStatus.CANCELLED, "finished_at": now}
        return {**freed, **ended, "attempts": attempts}

    def _cut_down(attempt: Attempt) -> Attempt:
        if attempt.outcome != "running":
            return attempt
        return attempt.model_copy(update={"outcome": "cancelled", "finished_at": now})

    return Mark(change, {"status": StepStatus.CANCELLED, "finished_at": now})
