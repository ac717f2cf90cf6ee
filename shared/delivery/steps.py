"""The step protocol for stages with effects: claim, work, commit, emit.

Nothing external happens outside a claim; a result is recorded once; what follows is derived from
what is recorded. Whatever is raised here, `shared.delivery.stage` turns into ack, nack or bury.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from shared.delivery.attending import Attended, standing
from shared.delivery.budgets.leaving import settle_apart
from shared.delivery.claim import (
    Claim,
    Finished,
    PutOff,
    StepCancelled,
    claim,
    close_attempt,
    defer,
    leave,
    put_off,
    release,
    seconds_held,
    try_again,
)
from shared.delivery.closing import Closing, End, ending_of, require_not_failed
from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.leaving import Left
from shared.delivery.outcome import Outcome, Spent
from shared.delivery.runs.ending import require_fitting
from shared.delivery.scope import Scope, scope_of, variables_of
from shared.delivery.settling import Standing
from shared.delivery.tries import is_dealt_with, next_try
from shared.delivery.waits.deferring import StepDeferred
from shared.domain.chain import StepStatus
from shared.domain.envelope import Envelope, decode
from shared.domain.expressions import fill
from shared.domain.model import Json
from shared.domain.records import Failure, RunStatus, StepRecord, Usage, step_path
from shared.domain.step import Fallback
from shared.errors import (
    ClaimLostError,
    ExpressionError,
    MessageInvalidError,
    OutputTooLargeError,
    RecordTooLargeError,
    SegueError,
    StageBudgetError,
    StateInvalidError,
    StepTimeoutError,
    Transient,
)
from shared.ports import ModelCall, Update


@dataclass(frozen=True)
class StepTask:
    """What the work gets: the step's envelope, its scope and the variables it can see.

    `seconds` are left for it. With a `fallback` that is to do the work in the step's place.
    `record` is the step's, as this attempt has claimed it.
    """

    envelope: Envelope
    scope: Scope
    variables: dict[str, Any]
    spent: Spent
    seconds: float
    fallback: Fallback | None = None
    record: StepRecord | None = None


Work = Callable[[StepTask, Deps], Awaitable[Json]]
_MOST_WAITED = 10.0  # seconds that a retry is waited for in the request; longer ones are put off


async def run_step(received: Received, deps: Deps, work: Work, *, check_run: bool) -> Handled:
    """Carries a step from its message to its recorded result and the messages that follow.

    With `check_run`, past the run's deadline, and where branches can be left behind, a step of a
    run that has ended is not started: one more read, no effect.
    Raises Transient to have the message redelivered, Permanent to have it buried.
    """
    envelope = decode(received.delivery.message)
    received.describe(envelope.labels())
    version = await deps.flows.pinned(envelope.run.flow, envelope.run.version)
    scope = scope_of(envelope, received.delivery.message, version, received.span_id)
    reach("decoded")
    if (check_run or may_have_ended(deps, scope)) and (
        ended := await ending_of(deps.store, envelope)
    ):
        if ended is RunStatus.FAILED:
            await require_not_failed(deps.store, envelope)
        return Handled("run-ended")
    if version.flow.declared(envelope.step).foreach is not None and envelope.place is None:
        raise MessageInvalidError(f"step {envelope.step!r} is mapped, and this is no item of it")
    if version.flow.is_opened(envelope.step):
        raise MessageInvalidError(f"step {envelope.step!r} is one that no stage works on")
    held = await claim(deps, envelope, received.delivery)
    if isinstance(held, PutOff):
        return await _put_off(held.record, envelope, scope, deps)
    step = _Step(deps, scope, envelope, received)
    if isinstance(held, Finished):
        return await step.resume(held.record)
    reach("claimed")
    try:
        return await step.begin(held, work)
    except StepCancelled:
        await settle_apart(step.spent, deps)
        return Handled("cancelled")


async def _put_off(record: StepRecord, envelope: Envelope, scope: Scope, deps: Deps) -> Handled:
    if record.status is not StepStatus.WAITING:
        return Handled("held" if record.held else "not-due")
    if record.child is not None:
        # Loaded where an agent has flows as tools.
        from shared.delivery.agents.delegating import start_again  # noqa: PLC0415

        await start_again(record, envelope, scope, deps)
    return Handled("waiting")


def may_have_ended(deps: Deps, scope: Scope) -> bool:
    """Whether it is worth a read to find out that the run goes on without this step."""
    return scope.version.flow.can_outrun or scope.run.is_overdue(deps.clock.now())


class _Step:
    """One step in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope, envelope: Envelope, received: Received) -> None:
        self._deps = deps
        self._scope = scope
        self._envelope = envelope
        self._received = received
        self._declared = scope.version.flow.declared(envelope.step)
        self._closing = Closing(deps, scope, envelope)
        self._began = deps.clock.now()
        self._tried = Usage()
        self.spent = Spent()  # of the try under way

    async def begin(self, held: Claim, work: Work) -> Handled:
        """Carries the step out, unless its run is over and what its steps have done is undone.

        That is asked under the claim: whoever undoes the run waits for the claims that it sees.
        """
        if self._declared.compensate is not None and await ending_of(
            self._deps.store, self._envelope
        ):
            error = ClaimLostError(f"run {self._scope.run.id} has ended")
            await release(self._deps, held, error, Usage())
            return Handled("run-ended")
        return await self.carry_out(held, work)

    async def carry_out(self, held: Claim, work: Work) -> Handled:
        """Tries as often as the step's policy and the stage's time allow."""
        variables: dict[str, Any] = dict(self._envelope.context.inline)
        calls: list[ModelCall] = []
        self._received.calls = calls
        while True:
            self.spent = spent = Spent(calls=calls)
            try:
                variables = await variables_of(self._deps.store, self._scope, self._envelope)
                outcome = spent.succeeded(await self._worked(held, variables, work, spent))
            except Left as left:
                await leave(self._deps, held, left.changed, left.outcome)
                await left.follow()
                return Handled("waiting")
            except SegueError as error:
                outcome = spent.failed(error)
            finally:
                self._tried += spent.usage  # what a defect ends was billed too
                self._received.usage = self._tried
            reach("worked")
            outcome = _fitting(outcome)
            self._received.describe({}, **outcome.told)
            if outcome.error is None:
                return await self._succeed(held, outcome, variables)
            following = await self._next(held, outcome, outcome.error)
            if following is None:
                return await self._give_up(held, outcome, outcome.error, variables)
            if isinstance(following, Handled):
                return following
            held = following

    async def _worked(
        self, held: Claim, variables: dict[str, Any], work: Work, spent: Spent
    ) -> Json:
        """The output, within min(step timeout, what is left of the stage's budget).

        Nothing is begun by an instance that stood still for so long that others may have the step.
        """
        own = self._declared.timeout
        left = min(self._deps.stage.budget - self._elapsed(), seconds_held(self._deps, held))
        if left <= 0:
            raise StageBudgetError(f"step {self._envelope.step!r}: it was claimed too long ago")
        limit = min(own or left, left)
        fallback = self._declared.fallback if held.record.fallback else None
        try:
            async with asyncio.timeout(limit) as deadline, Attended(self._deps, held, deadline):
                about = (variables, spent, left, fallback, held.record)
                task = StepTask(self._envelope, self._scope, *about)
                return await work(task, self._deps)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            if own is not None and own <= left:
                raise StepTimeoutError(f"step {self._envelope.step!r}: {own:g} s") from error
            raise StageBudgetError(f"step {self._envelope.step!r}: {left:g} s") from error

    def _elapsed(self) -> float:
        return (self._deps.clock.now() - self._began).total_seconds()

    # -- failure ----------------------------------------------------------------------------

    async def _next(
        self, held: Claim, outcome: Outcome, error: SegueError
    ) -> Claim | Handled | None:
        """Goes on to another try: at once, after a wait, or later. None where there is none."""
        if isinstance(error, StepDeferred):
            await defer(self._deps, held, error, outcome.usage, outcome.also)
            return Handled("put-off", Failure.of(error, self._envelope.step))
        following = next_try(self._declared, held.record, error.code, self._key)
        if following is None:
            return None
        failure = Failure.of(error, self._envelope.step)
        about: dict[str, Any] = {"fallback": following.fallback, "also": outcome.also}
        spent = self._elapsed() + following.wait
        if following.wait > _MOST_WAITED or spent > self._deps.stage.budget / 2:
            due = self._deps.clock.now() + timedelta(seconds=following.wait)
            await put_off(self._deps, held, failure, outcome.usage, due=due, **about)
            return Handled("put-off", failure)
        again = await try_again(self._deps, held, failure, outcome.usage, **about)
        if following.wait:
            await self._deps.clock.sleep(following.wait)
            await standing(self._deps.store, again)  # raises where nobody wants it any more
        return again

    async def _give_up(
        self, held: Claim, outcome: Outcome, error: SegueError, variables: dict[str, Any]
    ) -> Handled:
        """The last try has failed: releases the step, or ends it, by its fallback or as failed."""
        if isinstance(error, Transient) and not is_dealt_with(
            self._declared, held.record, error.code
        ):
            await release(self._deps, held, error, outcome.usage, outcome.also)
            raise error
        fallback = self._declared.fallback
        if fallback is None or not fallback.is_value:
            return await self._close(held, StepStatus.FAILED, outcome, variables)
        failure = Failure.of(error, self._envelope.step)
        attempts = close_attempt(held, "failed", failure, outcome.usage, self._deps)
        record = held.record.model_copy(update={"attempts": attempts, "fallback": True})
        try:
            value = fill(fallback.value, variables)
        except ExpressionError as broken:
            broken.detail = f"`fallback`: {broken.detail}"
            failed = replace(outcome, error=broken)
            return await self._close(held, StepStatus.FAILED, failed, variables)
        replaced = Claim(record, held.revision)
        return await self._succeed(
            replaced, _fitting(replace(outcome, output=value, error=None)), variables
        )

    @property
    def _key(self) -> str:
        return f"{self._scope.run.id}/{self._envelope.step}"

    # -- the end ----------------------------------------------------------------------------

    async def _succeed(self, held: Claim, outcome: Outcome, variables: dict[str, Any]) -> Handled:
        name = self._envelope.step
        named = self._scope.version.flow.named(name, outcome.output)
        try:
            return await self._close(held, StepStatus.SUCCEEDED, outcome, {**variables, **named})
        except (RecordTooLargeError, StateInvalidError) as error:
            failed = replace(outcome, output=None, error=error, beside=None)
            return await self._close(held, StepStatus.FAILED, failed, variables)

    async def _close(
        self, held: Claim, status: StepStatus, outcome: Outcome, known: dict[str, Any]
    ) -> Handled:
        """Records the end and all that follows. Raises what the run has ended with."""
        failure = Failure.of(outcome.error, self._envelope.step) if outcome.error else None
        result = self._result(held, status, outcome, failure)
        end = End(status, result, known, failure, outcome.beside, outcome.also)
        recorded = await self._closing.close(end, self._standing(held))
        if recorded is not None:  # our own commit, whose answer was lost
            return await self.resume(recorded)
        return Handled("succeeded") if failure is None else Handled("survived", failure)

    def _standing(self, held: Claim) -> Standing:
        return lambda: standing(self._deps.store, held)

    async def resume(self, record: StepRecord) -> Handled:
        """Sends again what follows from a finished step; harmless where it was sent before."""

        async def variables() -> dict[str, Any]:
            return await variables_of(self._deps.store, self._scope, self._envelope)

        went_on = await self._closing.resume(record, variables)
        return Handled("repeated" if went_on else "run-ended")

    # -- the step's own write ---------------------------------------------------------------

    @property
    def _path(self) -> str:
        return step_path(self._scope.run.id, self._envelope.step)

    def _result(
        self, held: Claim, status: StepStatus, outcome: Outcome, failure: Failure | None
    ) -> Update:
        attempts = close_attempt(held, status.value, failure, outcome.usage, self._deps)
        fields = {
            "status": status,
            "lease_until": None,
            "finished_at": self._deps.clock.now(),
            "output": outcome.output,
            "error": failure,
            "handled": failure is not None and self._closing.survives,
            "fallback": held.record.fallback,
            "attempts": attempts,
            "answers": list(outcome.answers),
            "prompt": outcome.prompt,
            "model": outcome.model,
            **({"agent": outcome.note} if outcome.note is not None else {}),
            **({"cached": True} if outcome.cached else {}),
            **({"sources": list(outcome.sources)} if outcome.sources else {}),
        }
        return Update(self._path, StepRecord.fields_of(fields), held.revision)


def _fitting(outcome: Outcome) -> Outcome:
    if outcome.error is not None:
        return outcome
    try:
        require_fitting(outcome.output, "the step's output")
    except OutputTooLargeError as error:
        return replace(outcome, output=None, error=error, beside=None)
    return outcome
