"""Carries out a step's action or calls its registered function.

Every effect gets a key that is equal on each attempt, for receivers that can tell repeats.
"""

from __future__ import annotations

import functions.act.calls  # importing the packages registers their functions
import functions.act.flows
import functions.act.tools  # noqa: F401 - see above
from functions.act.actions import perform
from shared.calls import invoke, is_pure
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.steps import StepTask, run_step
from shared.domain import ids
from shared.domain.actions import action_of
from shared.domain.expressions import fill
from shared.domain.model import Json
from shared.domain.step import ActionStep, AgentStep, CallStep, Step
from shared.errors import MessageInvalidError
from shared.typed.work import Work, at_work


async def handle(received: Received, deps: Deps) -> Handled:
    """Runs the step under the protocol; a run that has ended has no more effects."""
    return await run_step(received, deps, act, check_run=True)


async def act(task: StepTask, deps: Deps) -> Json:
    """The effect's result. Raises ActionInvalidError, ActionFailedError, EffectUnavailableError."""
    step = task.scope.version.flow.declared(task.envelope.step)
    if isinstance(step, AgentStep):
        # Loaded where a flow has agents.
        from functions.act.tool_calls import call_tool  # noqa: PLC0415

        return await call_tool(task, step, deps)
    arguments = fill(step.arguments, task.variables)
    key = ids.effect_key(task.envelope.run.id, task.envelope.step)
    if task.envelope.run.shadow_of is not None and (told := _withheld(step)) is not None:
        return {"shadow": {**told, "with": arguments}}
    match step:
        case ActionStep():
            action = action_of(step.action, arguments)
            return await perform(action, key, task, deps)
        case CallStep():
            with at_work(_work(task, key, deps)):
                return await invoke(step.call, arguments)
        case _:
            raise MessageInvalidError(f"step {task.envelope.step!r} is a {step.kind}, not an act")


def _withheld(step: Step) -> dict[str, Json] | None:
    """What is not done in a run that is a shadow; None where nothing speaks against it."""
    match step:
        case ActionStep():
            return {"action": step.action}
        case CallStep() if not is_pure(step.call):
            return {"call": step.call}
        case _:
            return None


def _work(task: StepTask, key: str, deps: Deps) -> Work:
    """What methods of typed flows are given beside their events."""
    return Work(
        run_id=task.envelope.run.id,
        step=task.envelope.step,
        key=key,
        store=deps.store,
        clock=deps.clock,
        telemetry=deps.telemetry,
        expire_at=deps.expire_at,
        put_beside=task.spent.put_beside,
        collections=task.scope.version.collections,
    )
