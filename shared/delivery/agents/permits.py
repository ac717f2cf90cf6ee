"""Asks a person before a call of a tool begins, where its flow wants that. No compute is held.

Decides which calls those are; what a person's answer does is decided in `deciding`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.delivery.commands.holding import is_placeholder
from shared.delivery.deps import Deps
from shared.delivery.scope import Scope
from shared.domain.agents.conversation import ToolCall
from shared.domain.agents.declared import ARGS, AnyTool, Approvable, FlowTool, SearchTool, When
from shared.domain.agents.notes import CallMade, TurnTaken, is_repeated, told
from shared.domain.chain import StepStatus
from shared.domain.expressions import holds
from shared.domain.instances import Instance
from shared.domain.records import StepRecord, step_path
from shared.domain.step import AgentStep
from shared.domain.version import FlowVersion
from shared.domain.waiting import Awaited
from shared.errors import AlreadyExistsError, ExpressionError
from shared.ports import Create, Update
from shared.prompting.render import schema_problem

_BEGUN = frozenset({StepStatus.PENDING, StepStatus.RUNNING})


class Permits:
    """Asks about the calls of one run's agents, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope) -> None:
        self._deps = deps
        self._scope = scope

    async def ask(self, of: Instance, taken: TurnTaken, known: Mapping[str, Any]) -> bool:
        """Whether the call is a person's to let begin, or has ended; asked once, however often.

        Raises ExpressionError where that cannot be told.
        """
        assert of.part is not None
        assert of.part.call is not None
        declared = self._scope.version.flow.steps[of.step]
        assert isinstance(declared, AgentStep)
        call = taken.calls[of.part.call]
        spoken = declared.as_spoken(taken.speaker)
        tool = spoken.tool(call.name) or spoken.delegate(call.name)
        if tool is None or is_repeated(declared.limits, taken, of.part.call):
            return False
        if unfit(tool, call, self._scope.version) is not None:
            return False  # there is nothing to approve: the model is told what is wrong with it
        if not needs_approval(tool, call, known):
            return False
        return await self._put(self._record(of, tool, call))

    def _record(self, of: Instance, tool: Approvable, call: ToolCall) -> StepRecord:
        awaited = Awaited(what="approval", name=str(of), approvers=tool.approvers, told=told(call))
        return StepRecord(
            run_id=self._scope.run.id,
            flow=self._scope.run.flow,
            step=str(of),
            stage=self._deps.stage.name,
            status=StepStatus.WAITING,
            started_at=self._deps.clock.now(),
            item_of=of.item_of,
            awaited=awaited,
            agent=CallMade(call=call),
            expire_at=self._deps.expire_at(),
        )

    async def _put(self, record: StepRecord) -> bool:
        path = step_path(record.run_id, record.step)
        try:
            await self._deps.store.commit([Create(path, record.document())])
        except AlreadyExistsError:
            standing = await self._deps.store.get(path)
            if standing is None:
                return True
            found = StepRecord.of(standing.data)
            if not (is_placeholder(standing) and found.awaited is None):
                return found.status not in _BEGUN and found.child is None
            if not found.held:  # else it is asked about when the run is resumed
                await self._deps.store.commit([Update(path, record.document(), standing.revision)])
        return True


def unfit(tool: AnyTool, call: ToolCall, version: FlowVersion) -> str | None:
    """What is wrong with the arguments of a call that a person might have to approve; or None.

    Such a call is neither asked about nor made, whatever the function itself would make of it.
    """
    if isinstance(tool, SearchTool) or tool.approval is None:
        return None
    if isinstance(tool, FlowTool):
        return schema_problem(version.inputs[tool.flow], call.args)
    known = version.tools.get(tool.tool)
    return schema_problem(known.parameters, call.args) if known is not None else None


def needs_approval(tool: Approvable, call: ToolCall, known: Mapping[str, Any]) -> bool:
    """Raises ExpressionError, which names the tool."""
    if not isinstance(tool.approval, When):
        return tool.approval is not None
    try:
        return holds(tool.approval.when, {**known, ARGS: call.args})
    except ExpressionError as error:
        error.detail = f"`approval` of {call.name}: {error.detail}"
        raise
