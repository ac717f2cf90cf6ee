"""Asks something of a run that is there, and publishes it. Decides nothing about runs."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import Any

from shared.client.errors import EventRefusedError, UnreachableError
from shared.client.sending import Ports, Sent
from shared.delivery.commands import commanding
from shared.delivery.commands.commanding import Asked, message_of
from shared.domain.commands import Cancel, Pause, Resume
from shared.errors import EventInvalidError, EventTooLargeError, Transient

SOURCE = "//segue/clients"


async def signal(run: str, name: str, data: Any, by: str | None, ports: Ports) -> Sent:
    """Sends a signal that the run takes, as far as can be told now.

    Raises RunUnknownError, SignalRefusedError, EventRefusedError, UnreachableError.
    """
    return await _send(commanding.signal(run, name, data, by=by, sight=ports), ports)


async def outcome(run: str, name: str, value: Any, by: str | None, ports: Ports) -> Sent:
    """Sends an outcome of a run. Raises RunUnknownError, EventRefusedError, UnreachableError."""
    return await _send(commanding.outcome(run, name, value, by=by, sight=ports), ports)


async def decide(  # noqa: PLR0913 - what is decided, and by whom
    run: str,
    step: str,
    *,
    approved: bool,
    by: str | None,
    comment: str | None,
    ports: Ports,
    more: Mapping[str, float] = MappingProxyType({}),
) -> Sent:
    """Approves or rejects what a step waits for. Raises as `signal`.

    `more` is what it allows of `usd` and `tokens`, where the step asks for money.
    """
    decision = commanding.decision(
        run, step, approved=approved, comment=comment, by=by, sight=ports, more=more
    )
    return await _send(decision, ports)


async def order(command: Cancel | Pause | Resume, ports: Ports) -> Sent:
    """Tells a run that has not ended what to do.

    Raises RunUnknownError, RunEndedError, UnreachableError.
    """
    return await _send(commanding.order(command, ports), ports)


async def _send(asking: Awaitable[Asked], ports: Ports) -> Sent:
    """Publishes what is asked, unless the look at the run finds that it cannot be done."""
    event_id = uuid.uuid4().hex
    try:
        asked = await asking
        now = ports.clock.now()
        message, event = message_of(asked, source=SOURCE, event_id=event_id, now=now)
        [message_id] = await ports.bus.publish("events", [message])
    except (EventInvalidError, EventTooLargeError) as error:
        raise EventRefusedError(error.detail) from error
    except Transient as error:
        raise UnreachableError(error.detail) from error
    return Sent(event, message_id)
