"""Who obeys which command. Decides nothing about what obeying one means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.waits.signalling import take_signal
from shared.domain.commands import Cancel, Command, Outcome, Pause, Resume, RunEnded, Signal
from shared.domain.events import Event
from shared.errors import EventInvalidError


async def _stop(
    command: Cancel | Pause | Resume, event: Event, received: Received, deps: Deps
) -> Handled:
    """What few runs ever meet is loaded with the first of them."""
    from shared.delivery.commands import cancelling, pausing  # noqa: PLC0415

    match command:
        case Cancel():
            return await cancelling.cancel(command, event, received, deps)
        case Pause():
            return await pausing.pause(command, event, received, deps)
        case Resume():
            return await pausing.resume(command, event, received, deps)


async def _hear(command: RunEnded, event: Event, received: Received, deps: Deps) -> Handled:
    """Loaded where a run has ended that somebody must hear of."""
    from shared.delivery.runs.hearing import hear  # noqa: PLC0415

    return await hear(command, event, received, deps)


async def _note(command: Outcome, event: Event, received: Received, deps: Deps) -> Handled:
    """Loaded with the first outcome."""
    from shared.delivery.rollouts.outcomes import take_outcome  # noqa: PLC0415

    return await take_outcome(command, event, received, deps)


Obey = Callable[[Any, Event, Received, Deps], Awaitable[Handled]]
_OBEY: Mapping[type[Command], Obey] = {
    Cancel: _stop,
    Outcome: _note,
    Pause: _stop,
    Resume: _stop,
    RunEnded: _hear,
    Signal: take_signal,
}


async def obey(command: Command, event: Event, received: Received, deps: Deps) -> Handled:
    """Does what is asked; done twice, it is done once. Raises EventInvalidError."""
    received.describe({"run_id": command.run})
    does = _OBEY.get(type(command))
    if does is None:
        raise EventInvalidError(f"nobody obeys {event.type!r}")
    return await does(command, event, received, deps)
