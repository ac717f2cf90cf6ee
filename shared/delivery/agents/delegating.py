"""Has a call of a tool that is a flow carried out by a run: a child, which the call waits for.

The call's record goes first, then the event that starts the run; whoever comes upon the record
sends that again. What the run's end means for the call is decided in `children.homecoming`.
"""

from __future__ import annotations

from functools import partial

from shared.delivery.children.opening import Asked, Children, cancel_of
from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.leaving import Left
from shared.delivery.scope import Scope
from shared.delivery.steps import StepTask
from shared.domain.agents.declared import FlowTool
from shared.domain.agents.notes import CallMade
from shared.domain.chain import StepStatus
from shared.domain.envelope import ActTask, Envelope
from shared.domain.instances import instance_of
from shared.domain.model import Json
from shared.domain.records import RunRecord, StepRecord, run_path
from shared.domain.step import AgentStep
from shared.errors import ChildNestedError, OutputTooLargeError, ToolArgumentsError
from shared.ports import Query
from shared.prompting.render import schema_problem

OPENED = "opened"  # how the try is noted that a run has taken the place of


async def delegate(task: StepTask, tool: FlowTool, note: CallMade, deps: Deps) -> Json:
    """Leaves the call to a run. What keeps it from being opened is told to the model, as data.

    A call that goes on after a redrive waits for the run that it had. Raises Left,
    ToolArgumentsError.
    """
    assert task.record is not None
    problem = schema_problem(task.scope.version.inputs[tool.flow], note.call.args)
    if problem is not None:
        raise ToolArgumentsError(f"{tool.name}: the arguments break the schema {problem}")
    children = Children(deps, task.scope, Asked(tool.flow, note.call.args))
    try:
        fresh = await children.record(task.record.step, {})
    except (ChildNestedError, OutputTooLargeError) as error:
        return {"error": {"code": error.code, "message": error.detail}}
    waits = {"child": task.record.child or fresh.child, "agent": note}
    record = task.record.model_copy(update=waits)
    raise Left(waits, OPENED, partial(_start, children, record))


async def start_again(record: StepRecord, envelope: Envelope, scope: Scope, deps: Deps) -> None:
    """Starts the run that a call waits for: whoever left the call to it may have died before."""
    todo, declared = envelope.task, scope.version.flow.steps[instance_of(record.step).step]
    assert isinstance(declared, AgentStep)
    if not isinstance(todo, ActTask) or todo.call is None:
        return
    tool = declared.as_spoken(todo.speaker).delegate(todo.call.name)
    if tool is not None:
        await _start(Children(deps, scope, Asked(tool.flow, todo.call.args)), record)


async def _start(children: Children, record: StepRecord) -> None:
    reach("committed")
    await children.begun(record, {})
    reach("emitted")


async def forsake(run_id: str, step: str, deps: Deps) -> None:
    """Cancels the runs that calls of an agent still wait for, as it has ended without them.

    One that is opened after that finds the agent ended, and is cancelled then.
    """
    found = await deps.store.get(run_path(run_id))
    parts = await deps.store.find(Query(f"{run_path(run_id)}/steps", (("item_of", "==", step),)))
    records = [StepRecord.of(one.data) for one in parts]
    waiting = [one.child for one in records if one.child and one.status is StepStatus.WAITING]
    if found is None or not waiting:
        return
    reason = f"step {step} waits for it no longer"
    run = RunRecord.of(found.data)
    await deps.bus.publish("events", [cancel_of(one.run_id, run, reason) for one in waiting])
