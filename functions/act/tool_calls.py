"""Makes the call of a tool that an agent asks for; what goes wrong with it is told to the model.

Decides what may be done with a call of which nobody knows whether it has happened: it is made
again, asked about, or left to a person, as the tool's effect has it.
"""

from __future__ import annotations

import asyncio
from typing import cast

from shared.delivery.agents.permits import unfit
from shared.delivery.deps import Deps
from shared.delivery.leaving import LeftToPerson
from shared.delivery.steps import StepTask
from shared.domain import ids
from shared.domain.agents.blackboard import BUILT_IN
from shared.domain.agents.conversation import ToolCall
from shared.domain.agents.declared import AgentTool
from shared.domain.agents.notes import CallMade, told
from shared.domain.envelope import ActTask
from shared.domain.instances import instance_of
from shared.domain.model import Json
from shared.domain.records import StepRecord
from shared.domain.step import AgentStep
from shared.domain.waiting import Awaited
from shared.errors import (
    MessageInvalidError,
    ToolArgumentsError,
    ToolError,
    ToolRejectedError,
    ToolRepeatedError,
    ToolTimeoutError,
    ToolUnknownError,
    Transient,
)
from shared.tools import Happened, StoredRecords, ToolContext, invoke, probe

UNKNOWN = "unknown"  # how a try is noted that may have had its effect, or not


async def call_tool(task: StepTask, step: AgentStep, deps: Deps) -> Json:
    """The call's result, or `{error: {code, message}}`: either is for the model.

    Raises Transient where the tool asks for another try, LeftToPerson where only a person can say
    whether the call has happened, Left where a run carries it out.
    """
    todo = task.envelope.task
    if not isinstance(todo, ActTask) or todo.call is None:
        raise MessageInvalidError(f"step {task.envelope.step!r} is an agent, and this is no call")
    record = task.record
    assert record is not None
    before = record.agent
    note = before if isinstance(before, CallMade) else CallMade(call=todo.call)
    task.spent.note = note
    try:
        if note.rejected is not None:
            raise ToolRejectedError(note.rejected)
        if note.happened:
            return note.result
        if todo.is_repeated:
            raise ToolRepeatedError(
                f"{told(todo.call)} was asked for {step.limits.repeats} times before, and gives"
                " nothing new; do not ask for it again"
            )
        spoken = step.as_spoken(todo.speaker)
        flow, tool = spoken.delegate(todo.call.name), spoken.tool(todo.call.name)
        if flow is not None:
            # Loaded where an agent has flows as tools.
            from shared.delivery.agents.delegating import delegate  # noqa: PLC0415

            return await delegate(task, flow, note, deps)
        if tool is None or tool.tool not in task.scope.version.tools:
            there = ", ".join(one.name for one in spoken.tools) or "none"
            raise ToolUnknownError(f"there is no tool {todo.call.name!r}; there are: {there}")
        return await _Call(task, record, tool, note, deps).make()
    except ToolError as error:
        return {"error": {"code": error.code, "message": error.detail}}


class _Call:
    """One call of a tool that there is."""

    def __init__(
        self, task: StepTask, record: StepRecord, tool: AgentTool, note: CallMade, deps: Deps
    ) -> None:
        self._record = record
        self._call = note.call
        self._tool = tool
        self._version = task.scope.version.tools[tool.tool]
        self._unfit = unfit(tool, note.call, task.scope.version)
        self._effect = self._version.effect
        self._is_shadow = task.envelope.run.shadow_of is not None
        self._was_begun = len(record.attempts) - 1 > note.cleared
        self._context = _context(task, note.call, deps)
        self._about = (task.envelope.run.id, task.envelope.step, _speaker(task))
        self._deps = deps

    async def make(self) -> Json:
        """Raises ToolError, Transient, LeftToPerson."""
        if self._unfit is not None:
            told = f"{self._tool.name}: the arguments break the schema {self._unfit}"
            raise ToolArgumentsError(told)
        if self._was_begun and self._effect == "unsafe" and not self._is_shadow:
            raise self._unknown()
        try:
            async with asyncio.timeout(self._tool.timeout):
                return await self._made()
        except TimeoutError as error:
            if self._effect == "unsafe":
                raise self._unknown() from error
            raise ToolTimeoutError(
                f"{self._tool.tool} took longer than {self._tool.timeout:g} s; whether it has done"
                " something is not known"
            ) from error
        except Transient as error:
            if self._effect == "unsafe":  # it may have happened, and nobody has heard of it
                raise self._unknown() from error
            raise

    async def _made(self) -> Json:
        name, args = self._call.name, self._call.args
        if self._version.source == BUILT_IN:
            # Loaded where an agent has such a tool. It keeps to the run, so a shadow does it too.
            from shared.delivery.agents.blackboard import use_board  # noqa: PLC0415

            return await use_board(self._call, *self._about, self._deps)
        if self._is_shadow and self._effect != "pure":
            return {"shadow": {"tool": name, "with": args}}
        if self._was_begun and self._effect == "probe":
            found = await probe(name, args, self._context)
            if isinstance(found, Happened):
                return cast("Json", found.result)  # it has been checked to be that
        return await invoke(name, args, self._context, self._version)

    def _unknown(self) -> LeftToPerson:
        record = self._record
        past = record.awaited.is_past if record.awaited is not None else ()
        awaited = Awaited(
            what="outcome",
            name=record.step,
            approvers=self._tool.approvers,
            told=told(self._call),
            past=past,
        )
        return LeftToPerson(awaited, UNKNOWN)


def _speaker(task: StepTask) -> str:
    """Who asks for the call: the step, and the persona of it where another one speaks."""
    todo, step = task.envelope.task, instance_of(task.envelope.step).step
    speaker = todo.speaker if isinstance(todo, ActTask) else None
    return step if speaker in {None, step} else f"{step}/{speaker}"


def _context(task: StepTask, call: ToolCall, deps: Deps) -> ToolContext:
    run, step = task.envelope.run, task.envelope.step
    return ToolContext(
        run_id=run.id,
        step=step,
        call=call.id or step,
        key=ids.effect_key(run.id, step),
        correlation_id=run.correlation_id,
        now=deps.clock.now(),
        records=StoredRecords(deps.store, deps.expire_at),
        servers=deps.servers,
    )
