"""Ends an agent, as succeeded or as failed, and lets its run go on.

An agent ends once: its record is fenced by its revision, whoever comes to end it.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from shared.delivery.commands.marking import Mark, mark_parts
from shared.delivery.deps import Deps
from shared.delivery.runs.ending import require_fitting
from shared.delivery.scope import Scope, dead_letter, variables_at
from shared.delivery.settling import Settler, Standing
from shared.domain.chain import StepStatus
from shared.domain.expressions import fill
from shared.domain.model import Json
from shared.domain.records import Failure, RunRecord, RunStatus, StepRecord, run_path, step_path
from shared.domain.step import AgentStep
from shared.errors import (
    Conflict,
    ExpressionError,
    OutputTooLargeError,
    RecordTooLargeError,
    StepTimeoutError,
)
from shared.ports import Document, Update


class AgentEnds:
    """The ends of one run's agents, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope, settler: Settler) -> None:
        self._deps = deps
        self._scope = scope
        self._flow = scope.version.flow
        self._settler = settler

    async def succeed(
        self, found: Document, output: Json, *, replaced: bool = False, due: datetime | None = None
    ) -> Failure | None:
        """Ends the agent with its answer, or with what its flow has in place of one."""
        step = StepRecord.of(found.data).step
        known = {**await self._variables(step), **self._flow.named(step, output)}
        fields = {
            "status": StepStatus.SUCCEEDED,
            "output": output,
            "fallback": replaced,
            "due": due,
        }
        try:
            require_fitting(output, "the step's output")
            done = await self._settler.settle(
                step,
                StepStatus.SUCCEEDED,
                self._result(found, **fields),
                known,
                self._standing(step),
            )
        except (OutputTooLargeError, RecordTooLargeError) as error:
            return await self._fail(found, Failure.of(error, step), due)
        return None if done is None else await self.repeat(done)

    async def fail(
        self, found: Document, failure: Failure, *, is_due: bool = False
    ) -> Failure | None:
        """Ends the agent as failed, unless its flow has a value for that.

        Returns the failure where the run ends with it. `is_due`: nobody comes back but by the time.
        """
        ended = await self._failed(found, failure, is_due=is_due)
        await self._forsake(StepRecord.of(found.data).step)
        return ended

    async def _failed(self, found: Document, failure: Failure, *, is_due: bool) -> Failure | None:
        step = StepRecord.of(found.data).step
        due = self._deps.clock.now() if is_due else None
        fallback = self._flow.steps[step].fallback
        if fallback is not None and fallback.is_value:
            try:
                value = fill(fallback.value, await self._variables(step))
            except ExpressionError as error:
                error.detail = f"`fallback`: {error.detail}"
                failure = Failure.of(error, step)
            else:
                return await self.succeed(found, value, replaced=True, due=due)
        return await self._fail(found, failure, due)

    async def _fail(
        self, found: Document, failure: Failure, due: datetime | None
    ) -> Failure | None:
        step = StepRecord.of(found.data).step
        survives = self._flow.steps[step].survives
        fields = {"status": StepStatus.FAILED, "error": failure, "handled": survives, "due": due}
        result, standing = self._result(found, **fields), self._standing(step)
        if not survives:
            done = await self._settler.fail_run(result, failure, standing)
            return failure if done is None else await self.repeat(done)
        known = await self._variables(step)
        done = await self._settler.settle(step, StepStatus.FAILED, result, known, standing)
        return None if done is None else await self.repeat(done)

    async def repeat(self, record: StepRecord) -> Failure | None:
        """What follows from an agent that has ended: sent again, or told."""
        if record.error is not None or record.fallback:
            await self._forsake(record.step)
        if record.status is StepStatus.FAILED and not record.handled:
            return record.error
        if record.status is StepStatus.CANCELLED:
            return None
        if await self._settler.progress.end.open_revision() is not None:
            known = await self._variables(record.step)
            if record.status is StepStatus.SUCCEEDED:
                known |= self._flow.named(record.step, record.output)
            await self._settler.repeat(record.step, record.status, known)
        return None

    async def time_is_up(self, found: Document) -> None:
        """Ends an agent that has worked long enough, with all of it that is under way.

        `due` stays until all of that is done, so that a tick that dies is made good by the next.
        """
        record = StepRecord.of(found.data)
        timeout = self._flow.steps[record.step].timeout or 0
        if record.status.is_final:
            failure = await self.repeat(record)
        else:
            error = StepTimeoutError(f"step {record.step!r}: {timeout:g} s")
            failure = await self.fail(found, Failure.of(error, record.step), is_due=True)
        run = await self._deps.store.get(run_path(record.run_id))
        if run is not None:
            await mark_parts(RunRecord.of(run.data), record.step, self._cancelled(), self._deps)
        if failure is not None:
            await self.bury(record.step, failure)
        now = await self._deps.store.get(found.path)
        if now is not None and StepRecord.of(now.data).status.is_final:
            with suppress(Conflict):  # a redrive has taken it up
                await self._deps.store.commit([Update(found.path, {"due": None}, now.revision)])

    async def bury(self, step: str, failure: Failure) -> None:
        """Leaves a dead letter, where the run has ended with the agent."""
        run = await self._deps.store.get(run_path(self._scope.run.id))
        if run is None or RunRecord.of(run.data).status is not RunStatus.FAILED:
            return
        stage, message = self._scope.hand_over(step, {})
        await self._deps.bus.publish(f"{stage}-dead", [dead_letter(message, stage, failure)])

    # -- parts ------------------------------------------------------------------------------

    async def _forsake(self, step: str) -> None:
        declared = self._flow.steps[step]
        if isinstance(declared, AgentStep) and declared.flows:
            # Loaded where an agent has flows as tools.
            from shared.delivery.agents.delegating import forsake  # noqa: PLC0415

            await forsake(self._scope.run.id, step, self._deps)

    def _cancelled(self) -> Mark:
        fields = {
            "status": StepStatus.CANCELLED,
            "finished_at": self._deps.clock.now(),
            "owner": "",
            "lease_until": None,
            "due": None,
        }
        ended = {"status": StepStatus.CANCELLED, "finished_at": self._deps.clock.now()}
        return Mark(lambda record: None if record.status.is_final else fields, ended)

    def _result(self, found: Document, **fields: Any) -> Update:
        changed = {"finished_at": self._deps.clock.now(), "held": False, **fields}
        return Update(found.path, StepRecord.fields_of(changed), found.revision)

    def _standing(self, step: str) -> Standing:
        async def standing() -> StepRecord | None:
            found = await self._deps.store.get(step_path(self._scope.run.id, step))
            record = StepRecord.of(found.data) if found is not None else None
            return record if record is not None and record.status.is_final else None

        return standing

    async def _variables(self, step: str) -> dict[str, Any]:
        """What is known where the agent ends: its turns and calls bring nothing along."""
        return await variables_at(self._deps.store, self._scope, step, {})
