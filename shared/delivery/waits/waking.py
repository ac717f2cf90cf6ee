"""Ends a step that waits, with what has come or because nothing has, and lets its run go on.

A wait ends once: its record is fenced by its revision, whoever comes to end it. Knows nothing of
how things come.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.runs.ending import require_fitting
from shared.delivery.scope import Scope, dead_letter, variables_at
from shared.delivery.settling import Settler, Standing
from shared.domain.chain import StepStatus
from shared.domain.expressions import fill
from shared.domain.model import Json
from shared.domain.records import (
    Failure,
    RunRecord,
    RunStatus,
    StepRecord,
    run_path,
)
from shared.domain.signals import SignalRecord
from shared.domain.step import WaitStep
from shared.errors import (
    ApprovalRejectedError,
    ClaimLostError,
    Conflict,
    ExpressionError,
    OutputTooLargeError,
    RecordTooLargeError,
    SegueError,
    WaitTimeoutError,
)
from shared.ports import Document, Update, Write


@dataclass(frozen=True)
class Came:
    """What ends a wait: an output, or an error, which the flow may provide for by itself.

    `by` is the key of the event that brought it, `kept` writes that go with it. `is_due`: what
    follows is `sweep`'s to send, where whoever ends the wait dies before. `replaced`: the output
    is that of the step's fallback.
    """

    output: Json = None
    error: SegueError | None = None
    survives: bool = False
    by: str | None = None
    kept: Sequence[Write] = ()
    is_due: bool = False
    replaced: bool = False


def arrived(signal: SignalRecord, record: StepRecord, kept: Sequence[Write] = ()) -> Came | None:
    """What a signal brings a wait; None where an earlier opening of it had it already."""
    awaited = record.awaited
    if awaited is None or signal.event in awaited.past:
        return None
    if awaited.what != "approval":
        return Came(output=signal.output(), by=signal.event, kept=kept)
    decision = signal.decision()
    if decision["approved"]:
        return Came(output=decision, by=signal.event, kept=kept)
    comment = f": {decision['comment']}" if decision["comment"] else ""
    who = decision["by"] or "somebody"
    error = ApprovalRejectedError(f"step {record.step!r}, {who}{comment}")
    return Came(error=error, by=signal.event, kept=kept)


class Waking:
    """Ends waits of one run, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope) -> None:
        self._deps = deps
        self._scope = scope
        self._flow = scope.version.flow
        self._settler = Settler(deps, scope)

    async def end(self, found: Document, came: Came) -> None:
        """Ends the wait that is still as it was `found`, and sends what follows.

        Raises ClaimLostError where it has changed since: then it is to be looked at anew.
        """
        record = StepRecord.of(found.data)
        known = await self._variables(record.step)
        came = self._fitting(came)
        if came.error is not None:
            came = self._replaced(record.step, came, known)
        try:
            await self._commit(found, record, came, known)
        except RecordTooLargeError as error:
            await self._commit(found, record, replace(came, output=None, error=error), known)

    async def time_is_up(self, found: Document) -> None:
        """Ends the wait whose time has come; of one that has ended, repeats what follows.

        `due` stays until all of that is done, so that a tick that dies is made good by the next.
        """
        record = StepRecord.of(found.data)
        if record.status is StepStatus.WAITING:
            await self.end(found, self._timeout(record))
        elif record.status.is_final:
            await self.repeat(record)
            await self.forget(found.path)

    async def repeat(self, record: StepRecord) -> None:
        """Sends again what follows from a wait that has ended; harmless where it was sent."""
        if record.status is StepStatus.FAILED and not record.handled:
            assert record.error is not None
            await self._tell(record.step, record.error)
        elif await self._settler.progress.end.open_revision() is not None:
            known = await self._variables(record.step)
            if record.status is StepStatus.SUCCEEDED:
                known |= self._flow.named(record.step, record.output)
            await self._settler.repeat(record.step, record.status, known)

    # -- how it ends ------------------------------------------------------------------------

    def _timeout(self, record: StepRecord) -> Came:
        declared = self._declared(record.step)
        wait = declared.wait
        if wait.awaits == "duration":
            return Came(output={"waited": True}, is_due=True)
        if wait.on_timeout == "continue":
            return Came(output={"timed_out": True}, is_due=True)
        error = WaitTimeoutError(f"step {record.step!r} waited {wait.timeout:g} s")
        return Came(error=error, survives=wait.after_timeout is not None, is_due=True)

    def _declared(self, step: str) -> WaitStep:
        declared = self._flow.steps[step]
        assert isinstance(declared, WaitStep)
        return declared

    def _fitting(self, came: Came) -> Came:
        try:
            require_fitting(came.output, "the step's output")
        except OutputTooLargeError as error:
            return replace(came, output=None, error=error)
        return came

    def _replaced(self, step: str, came: Came, known: dict[str, Any]) -> Came:
        """With the value that the flow has for a failure, where it has one."""
        fallback = self._flow.steps[step].fallback
        if fallback is None or not fallback.is_value or came.survives:
            return came
        try:
            value = fill(fallback.value, known)
            return self._fitting(replace(came, output=value, error=None, replaced=True))
        except ExpressionError as broken:
            broken.detail = f"`fallback`: {broken.detail}"
            return replace(came, error=broken)

    # -- the commit -------------------------------------------------------------------------

    async def _commit(
        self, found: Document, record: StepRecord, came: Came, known: dict[str, Any]
    ) -> None:
        step, standing = record.step, self._standing(found, came)
        failure = None if came.error is None else Failure.of(came.error, step)
        if failure is None:
            known = {**known, **self._flow.named(step, came.output)}
        survives = came.survives or self._flow.steps[step].survives
        result = self._result(
            found, record, came, failure, handled=failure is not None and survives
        )
        if failure is not None and not survives:
            done = await self._settler.fail_run(result, failure, standing, came.kept)
            if done is None:
                reach("committed")
                await self._tell(step, failure)
                reach("emitted")
        else:
            status = StepStatus.SUCCEEDED if failure is None else StepStatus.FAILED
            done = await self._settler.settle(step, status, result, known, standing, came.kept)
        if done is not None:  # our own commit, whose answer was lost
            await self.repeat(done)
        if result.data["due"] is not None:
            await self.forget(found.path)

    def _result(
        self,
        found: Document,
        record: StepRecord,
        came: Came,
        failure: Failure | None,
        *,
        handled: bool,
    ) -> Update:
        now, awaited = self._deps.clock.now(), record.awaited
        assert awaited is not None
        is_told_later = failure is not None and not handled  # by a letter
        fields = {
            "status": StepStatus.SUCCEEDED if failure is None else StepStatus.FAILED,
            "output": came.output if failure is None else None,
            "error": failure,
            "handled": handled,
            "fallback": came.replaced,
            "finished_at": now,
            "awaited": awaited.model_copy(update={"settled_by": came.by}),
            "matches": None,
            "due": now if is_told_later or came.is_due else None,
        }
        return Update(found.path, StepRecord.fields_of(fields), found.revision)

    def _standing(self, found: Document, came: Came) -> Standing:
        async def standing() -> StepRecord | None:
            now = await self._deps.store.get(found.path)
            if now is not None and now.revision == found.revision:
                return None
            record = None if now is None else StepRecord.of(now.data)
            if record is None or not _is_ended_by(record, came):
                raise ClaimLostError(f"{found.path} has changed")
            return record

        return standing

    async def _tell(self, step: str, failure: Failure) -> None:
        """Leaves a dead letter, where the run has ended with the step."""
        run = await self._deps.store.get(run_path(self._scope.run.id))
        if run is None or RunRecord.of(run.data).status is not RunStatus.FAILED:
            return
        stage, message = self._scope.hand_over(step, {})
        await self._deps.bus.publish(f"{stage}-dead", [dead_letter(message, stage, failure)])

    async def forget(self, path: str) -> None:
        """All that follows from the wait's end has been sent: nothing is due any more."""
        found = await self._deps.store.get(path)
        if found is None or not StepRecord.of(found.data).status.is_final:
            return
        with suppress(Conflict):  # a redrive has taken it up
            await self._deps.store.commit([Update(path, {"due": None}, found.revision)])

    async def _variables(self, step: str) -> dict[str, Any]:
        return await variables_at(self._deps.store, self._scope, step, {})


def _is_ended_by(record: StepRecord, came: Came) -> bool:
    awaited = record.awaited
    return record.status.is_final and awaited is not None and awaited.settled_by == came.by
