"""Asks something of a run that is there: looks first, so that a person is told what cannot be done.

What is asked is an event of the entry topic, and `route` obeys it. Decides nothing about runs.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from shared.client.errors import EventRefusedError, SignalRefusedError, UnreachableError
from shared.client.sending import Draft, Ports, Sent, send
from shared.client.starting import encoded
from shared.delivery.signalling import look
from shared.domain.commands import Command, Signal
from shared.domain.waiting import ForApproval
from shared.errors import Transient

SOURCE = "//segue/clients"


async def command(asked: Command, ports: Ports) -> Sent:
    """Publishes a command. Raises EventRefusedError, UnreachableError."""
    data = encoded(asked.model_dump(mode="json", exclude_none=True))
    try:
        return await send(Draft(asked.type, data, source=SOURCE), ports)
    except Transient as error:
        raise UnreachableError(error.detail) from error


async def signal(run: str, name: str, data: Any, by: str | None, ports: Ports) -> Sent:
    """Sends a signal that the run takes, as far as can be told now.

    Raises SignalRefusedError, EventRefusedError, UnreachableError.
    """
    asked = _signal(run, name, data, by)
    seen = await _look(asked, ports)
    if seen:
        raise SignalRefusedError(seen)
    return await command(asked, ports)


async def decide(
    run: str, step: str, *, approved: bool, by: str | None, comment: str | None, ports: Ports
) -> Sent:
    """Approves or rejects what a step waits for. Raises as `signal`."""
    told = {"comment": comment} if comment is not None else {}
    asked = _signal(run, step, {"approved": approved, **told}, by)
    seen = await _look(asked, ports, approval=True)
    if seen:
        raise SignalRefusedError(seen)
    return await command(asked, ports)


def _signal(run: str, name: str, data: Any, by: str | None) -> Signal:
    try:
        return Signal(run=run, name=name, data=data, by=by)
    except ValidationError as error:
        [first, *_] = error.errors()
        where = ".".join(str(part) for part in first["loc"])
        raise EventRefusedError(f"{where}: {first['msg']}") from error


async def _look(asked: Signal, ports: Ports, *, approval: bool = False) -> str:
    """Why the run does not take it; empty where it does."""
    try:
        seen = await look(asked, None, ports.store, ports.flows)
    except Transient as error:
        raise UnreachableError(error.detail) from error
    if approval and seen.wait is not None and not isinstance(seen.wait, ForApproval):
        return f"step {asked.name!r} waits for no approval; it waits for a {seen.wait.awaits}"
    return seen.refused
