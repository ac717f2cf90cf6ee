"""How an act step calls a method of a typed flow: arguments become events, an event the output.

Registered beside the other functions that flows can call; decides nothing about when.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ValidationError

from shared import calls
from shared.domain.model import Json
from shared.errors import ActionFailedError, ActionInvalidError
from shared.typed.compile import call_name
from shared.typed.context import Context
from shared.typed.errors import FlowNameTakenError
from shared.typed.events import EVENT, Event, name_of, read, written
from shared.typed.flow import Flow
from shared.typed.shapes import StepShape, Taken
from shared.typed.state import StateInHand
from shared.typed.work import work_in_hand

AnyFlow = type[Flow[Any, Any]]
_KNOWN: dict[str, AnyFlow] = {}


class _NoState(BaseModel):
    """Of a flow that keeps none."""


def register(flow: AnyFlow) -> AnyFlow:
    """Makes the methods of a flow callable in this process; once more does no harm.

    Raises FlowNameTakenError where another flow has the name.
    """
    known = _KNOWN.setdefault(flow.name, flow)
    if known is not flow:
        told = f"{flow.shape.title} and {known.shape.title} are both called {flow.name!r}"
        raise FlowNameTakenError(told)
    for name, function in _functions(flow).items():
        if name not in calls.registered_names():
            calls.registered(name)(function)
    return flow


def registered_flows() -> dict[str, AnyFlow]:
    """All typed flows of this process, by name."""
    return dict(sorted(_KNOWN.items()))


@contextmanager
def registered_meanwhile(flow: AnyFlow) -> Iterator[None]:
    """Has the flow's methods called in place of those of another of that name."""
    with calls.replaced(_functions(flow)):
        yield


def _functions(flow: AnyFlow) -> dict[str, Any]:
    instance = flow()
    return {
        call_name(flow.name, step.name): _function(flow, instance, step)
        for step in flow.shape.steps.values()
        if not step.is_prompt
    }


def _function(flow: AnyFlow, instance: Flow[Any, Any], step: StepShape) -> Any:
    async def call(**arguments: Any) -> Json:
        return await _called(flow, instance, step, arguments)

    call.__name__ = call.__qualname__ = f"{flow.shape.title}.{step.name}"
    return call


async def _called(
    flow: AnyFlow, instance: Flow[Any, Any], step: StepShape, arguments: dict[str, Any]
) -> Json:
    """The method's event as an output. Raises ActionInvalidError, ActionFailedError."""
    given: dict[str, Any] = _events(step, arguments)
    state: StateInHand[BaseModel] | None = None
    if step.context is not None:
        work = work_in_hand()
        state = StateInHand(flow.shape.state or _NoState, work)
        given[step.context] = Context(work, state)
    if inspect.iscoroutinefunction(step.method):
        returned = await step.method(instance, **given)
    else:
        returned = await asyncio.to_thread(step.method, instance, **given)
    output = _output(step, returned)
    if state is not None and state.is_edited:
        await state.try_out()
    return output


def _events(step: StepShape, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return {taken.name: _event(taken, arguments.get(taken.name)) for taken in step.takes}
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ActionInvalidError(
            f"step {step.name!r} takes {error.title}: {place}: {first['msg']}"
        ) from error
    except ValueError as error:
        raise ActionInvalidError(f"step {step.name!r}: {error}") from error


def _event(taken: Taken, value: Any) -> Event | list[Event]:
    if not taken.many:
        return read(value, taken.kinds)
    if not isinstance(value, list | tuple):
        raise ValueError(f"{taken.name!r} is to be a list, and is a {type(value).__name__}")  # noqa: TRY004 - as pydantic's
    return [read(item, taken.kinds) for item in value]


def _output(step: StepShape, returned: Any) -> Json:
    if step.gives.many:
        if not isinstance(returned, list | tuple):
            raise ActionFailedError(_misfit(step, returned))
        return [_written(step, event) for event in returned]
    if returned is None and (step.gives.maybe or not step.gives.kinds):
        return {EVENT: None}
    return _written(step, returned)


def _written(step: StepShape, event: Any) -> dict[str, Json]:
    if type(event) not in step.gives.kinds:
        raise ActionFailedError(_misfit(step, event))
    try:
        return written(event)
    except ValueError as error:
        raise ActionFailedError(f"step {step.name!r} gives {error}") from error


def _misfit(step: StepShape, returned: Any) -> str:
    names = " or ".join(map(name_of, step.gives.kinds)) or "nothing"
    expected = f"a list of {names}" if step.gives.many else names
    return f"step {step.name!r} gives {type(returned).__name__}, and says {expected}"
