"""Carries out a step's action or calls its registered function.

Every effect gets a key that is equal on each attempt, for receivers that can tell repeats.
"""

from __future__ import annotations

import functions.act.calls  # noqa: F401 - importing the package registers its functions
from functions.act.actions import perform
from shared.calls import invoke
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.steps import StepTask, run_step
from shared.domain import ids
from shared.domain.actions import action_of
from shared.domain.expressions import fill
from shared.domain.model import Json
from shared.domain.step import ActionStep, CallStep
from shared.errors import MessageInvalidError


async def handle(received: Received, deps: Deps) -> Handled:
    """Runs the step under the protocol; a run that has ended has no more effects."""
    return await run_step(received, deps, act, check_run=True)


async def act(task: StepTask, deps: Deps) -> Json:
    """The effect's result. Raises ActionInvalidError, ActionFailedError, EffectUnavailableError."""
    step = task.scope.version.flow.declared(task.envelope.step)
    arguments = fill(step.arguments, task.variables)
    key = ids.effect_key(task.envelope.run.id, task.envelope.step)
    match step:
        case ActionStep():
            action = action_of(step.action, arguments)
            return await perform(action, key, task, deps)
        case CallStep():
            return await invoke(step.call, arguments)
        case _:
            raise MessageInvalidError(f"step {task.envelope.step!r} is a {step.kind}, not an act")
