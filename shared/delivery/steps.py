"""The step protocol for stages with effects: claim, work, commit, emit.

Nothing external happens outside a claim; a result is recorded once; what follows is derived from
what is recorded. Whatever is raised here, `shared.delivery.stage` turns into ack, nack or bury.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from shared.delivery.claim import Claim, Finished, claim, close_attempt, release
from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.outcome import Outcome, Spent
from shared.delivery.progress import Progress, arrivals_in, end_of_run, require_fitting
from shared.delivery.scope import Scope, scope_of, variables_of
from shared.delivery.telling import tell_ended
from shared.domain import chain
from shared.domain.chain import Advance, StepStatus
from shared.domain.envelope import Envelope, decode
from shared.domain.model import Json
from shared.domain.records import (
    Failure,
    RunRecord,
    RunStatus,
    StepRecord,
    run_path,
    step_path,
)
from shared.errors import (
    ClaimLostError,
    Conflict,
    OutputTooLargeError,
    RecordTooLargeError,
    SegueError,
    StageBudgetError,
    StepFailedError,
    StepTimeoutError,
    Transient,
)
from shared.ports import Update, Write, Written


@dataclass(frozen=True)
class StepTask:
    """What the work gets: the step's envelope, its scope and the variables it can see."""

    envelope: Envelope
    scope: Scope
    variables: dict[str, Any]
    spent: Spent


Work = Callable[[StepTask, Deps], Awaitable[Json]]
Ending = Callable[[str], Update]
_TRIES = 4  # a lost answer, a reopened run and a race at once still get through


async def run_step(received: Received, deps: Deps, work: Work, *, check_run: bool) -> Handled:
    """Carries a step from its message to its recorded result and the messages that follow.

    With `check_run`, and always past the run's deadline, a step of a run that has ended is not
    started: one more read, no effect.
    Raises Transient to have the message redelivered, Permanent to have it buried.
    """
    envelope = decode(received.delivery.message)
    received.describe(envelope.labels())
    version = await deps.flows.pinned(envelope.run.flow, envelope.run.version)
    scope = scope_of(envelope, received.delivery.message, version, received.span_id)
    reach("decoded")
    overdue = envelope.run.is_overdue(deps.clock.now())
    if (check_run or overdue) and await has_ended(deps, envelope):
        await _require_not_failed(deps, envelope)
        return Handled("run-ended")
    held = await claim(deps, envelope, received.delivery)
    step = _Step(deps, scope, envelope, received)
    if isinstance(held, Finished):
        return await step.resume(held.record)
    reach("claimed")
    return await step.carry_out(held, work)


async def has_ended(deps: Deps, envelope: Envelope) -> bool:
    """Whether the message's run has ended, by its record."""
    found = await deps.store.get(run_path(envelope.run.id))
    return found is not None and RunRecord.of(found.data).status.is_final


async def _require_not_failed(deps: Deps, envelope: Envelope) -> None:
    """The failure that ended the run may not have been buried yet: it is raised once more."""
    found = await deps.store.get(step_path(envelope.run.id, envelope.step))
    record = StepRecord.of(found.data) if found else None
    if record is not None and record.error is not None:
        raise RecordedFailure(record.error)


class _Step:
    """One step in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope, envelope: Envelope, received: Received) -> None:
        self._deps = deps
        self._scope = scope
        self._envelope = envelope
        self._received = received
        self._progress = Progress(deps, scope)
        self._spent = Spent()

    async def carry_out(self, held: Claim, work: Work) -> Handled:
        variables: dict[str, Any] = {}
        self._received.calls = self._spent.calls
        try:
            variables = await variables_of(self._deps.store, self._scope, self._envelope.context)
            outcome = self._spent.succeeded(await self._worked(variables, work))
        except SegueError as error:
            outcome = self._spent.failed(error)
        finally:
            self._received.usage = self._spent.usage  # what a defect ends was billed too
        reach("worked")
        outcome = _fitting(outcome)
        if isinstance(outcome.error, Transient):
            await release(self._deps, held, outcome.error, outcome.usage)
            raise outcome.error
        if outcome.error is not None:
            await self._fail(held, outcome)
            raise outcome.error
        return await self._succeed(held, outcome, variables)

    async def _worked(self, variables: dict[str, Any], work: Work) -> Json:
        """The output, within min(step timeout, stage budget)."""
        own = self._scope.version.flow.steps[self._envelope.step].timeout
        budget = self._deps.stage.budget
        limit = min(own or budget, budget)
        try:
            async with asyncio.timeout(limit) as deadline:
                task = StepTask(self._envelope, self._scope, variables, self._spent)
                return await work(task, self._deps)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            if own is not None and own <= budget:
                raise StepTimeoutError(f"step {self._envelope.step!r}: {own:g} s") from error
            raise StageBudgetError(f"step {self._envelope.step!r}: {budget:g} s") from error

    # -- success ----------------------------------------------------------------------------

    async def _succeed(self, held: Claim, outcome: Outcome, variables: dict[str, Any]) -> Handled:
        known = {**variables, self._envelope.step: outcome.output}
        plan = chain.advance(
            self._scope.version.flow, self._envelope.step, StepStatus.SUCCEEDED, known
        )
        writes = [
            self._result(held, StepStatus.SUCCEEDED, outcome),
            *self._progress.writes(plan),
        ]
        try:
            written = await self._commit(held, writes, self._ending(plan, known))
        except RecordTooLargeError as error:
            await self._fail(held, replace(outcome, output=None, error=error))
            raise
        if isinstance(written, StepRecord):  # our own commit, whose answer was lost
            return await self.resume(written)
        reach("committed")
        await self._progress.follow(plan, arrivals_in(plan, written), known)
        reach("emitted")
        return Handled("succeeded")

    def _ending(self, plan: Advance, known: dict[str, Any]) -> Ending | None:
        return partial(self._progress.end, known) if plan.ends else None

    async def _commit(
        self, held: Claim, writes: Sequence[Write], ending: Ending | None
    ) -> list[Written] | StepRecord:
        """Commits the writes and, while the run goes on, its end, which it tells.

        Returns the step's record where an earlier try of ours had been committed after all.
        Raises ClaimLostError where the step is another's by now.
        """
        revision: str | None = self._scope.run.revision
        for _ in range(_TRIES):
            end = [ending(revision)] if ending is not None and revision is not None else []
            try:
                written = await self._deps.store.commit([*writes, *end])
            except Conflict:
                record = await self._finished_by_us(held)
                if record is not None:
                    self._tell(end)
                    return record
                revision = await self._progress.open_revision()
            else:
                self._tell(end)
                return written
        raise ClaimLostError(f"step {self._envelope.step} of run {self._scope.run.id}")

    def _tell(self, end: list[Update]) -> None:
        for write in end:
            tell_ended(self._deps, self._scope.run, self._scope.trace.trace_id, write.data)

    async def _finished_by_us(self, held: Claim) -> StepRecord | None:
        """None while the step is claimed by us and unfinished. Raises ClaimLostError."""
        found = await self._deps.store.get(self._path)
        record = StepRecord.of(found.data) if found else None
        if record is None or record.owner != held.record.owner:
            raise ClaimLostError(f"step {self._envelope.step} of run {self._scope.run.id}")
        return record if record.status.is_final else None

    async def resume(self, record: StepRecord) -> Handled:
        """Sends again what follows from a finished step; harmless where it was sent before."""
        if record.status is StepStatus.FAILED:
            assert record.error is not None
            raise RecordedFailure(record.error)
        run = await self._deps.store.get(run_path(self._scope.run.id))
        if run is None or RunRecord.of(run.data).status.is_final:
            return Handled("run-ended")
        variables = await variables_of(self._deps.store, self._scope, self._envelope.context)
        known = {**variables, self._envelope.step: record.output}
        plan = chain.advance(self._scope.version.flow, self._envelope.step, record.status, known)
        await self._progress.follow(plan, await self._progress.stored_arrivals(plan), known)
        return Handled("repeated")

    # -- failure ----------------------------------------------------------------------------

    async def _fail(self, held: Claim, outcome: Outcome) -> None:
        """Records the step's failure and ends the run with it."""
        assert outcome.error is not None
        failure = Failure.of(outcome.error, self._envelope.step)
        ending = partial(
            end_of_run,
            self._deps,
            self._scope.run.id,
            status=RunStatus.FAILED,
            error=failure,
        )
        await self._commit(held, [self._result(held, StepStatus.FAILED, outcome)], ending)

    # -- the step's own write ---------------------------------------------------------------

    @property
    def _path(self) -> str:
        return step_path(self._scope.run.id, self._envelope.step)

    def _result(self, held: Claim, status: StepStatus, outcome: Outcome) -> Update:
        failure = Failure.of(outcome.error, self._envelope.step) if outcome.error else None
        attempts = close_attempt(held, status.value, failure, outcome.usage, self._deps)
        fields = {
            "status": status,
            "lease_until": None,
            "finished_at": self._deps.clock.now(),
            "output": outcome.output,
            "error": failure,
            "attempts": attempts,
            "answers": list(outcome.answers),
            "prompt": outcome.prompt,
            "model": outcome.model,
        }
        return Update(self._path, StepRecord.fields_of(fields), held.revision)


class RecordedFailure(StepFailedError):
    """The step has failed for good; its record says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure

    @property
    def code(self) -> str:
        return self.failure.code

    def __str__(self) -> str:
        return self.failure.message


def _fitting(outcome: Outcome) -> Outcome:
    if outcome.error is not None:
        return outcome
    try:
        require_fitting(outcome.output, "the step's output")
    except OutputTooLargeError as error:
        return replace(outcome, output=None, error=error)
    return outcome
