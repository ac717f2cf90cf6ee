"""What is asked of a run: looks first, so that whoever asks is told at once what cannot be done.

It becomes an event of the entry topic. `route` obeys it, and looks again: things may stand
otherwise by then. Decides nothing about what obeying means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from shared.delivery.waits.signalling import Look, look
from shared.domain.commands import Cancel, Command, Outcome, Pause, Resume, Signal
from shared.domain.envelope import Message
from shared.domain.events import Event, from_message
from shared.domain.records import RunRecord, RunStatus, run_path
from shared.domain.waiting import ForApproval
from shared.errors import EventInvalidError, NotFoundError, RefusedError
from shared.ports import Store
from shared.prompting.versions import FlowVersions

_C = TypeVar("_C", bound=Command)


class RunUnknownError(NotFoundError):
    """Check the id with `segue runs`; records of old runs are deleted."""


class RunEndedError(RefusedError):
    """Nothing was changed: a run that has ended stays as it is. Start it again with another id."""


class PauseRefusedError(RefusedError):
    """Nothing was changed; `segue show RUN` tells how the run stands."""


class SignalRefusedError(RefusedError):
    """Nothing was changed; `segue show RUN` tells what the run waits for."""


class Sight(Protocol):
    """What it takes to look at a run; a stage's dependencies have it, and a client's."""

    @property
    def store(self) -> Store: ...

    @property
    def flows(self) -> FlowVersions: ...


@dataclass(frozen=True)
class Asked:
    """A command that its run takes, as far as can be told now."""

    command: Command
    run: RunRecord


async def signal(run: str, name: str, data: Any, *, by: str | None, sight: Sight) -> Asked:
    """A signal. Raises RunUnknownError, SignalRefusedError, EventInvalidError."""
    command = _signal(run, name, data, by)
    return _taken(command, await look(command, None, sight.store, sight.flows))


async def outcome(run: str, name: str, value: Any, *, by: str | None, sight: Sight) -> Asked:
    """An outcome; the run may go on or have ended. Raises RunUnknownError, EventInvalidError."""
    command = _valid(Outcome, {"run": run, "name": name, "value": value, "by": by})
    found = await sight.store.get(run_path(run))
    if found is None:
        raise RunUnknownError(f"there is no run {run!r}")
    return Asked(command, RunRecord.of(found.data))


async def decision(  # noqa: PLR0913 - what is decided, and by whom
    run: str,
    step: str,
    *,
    approved: bool,
    comment: str | None,
    by: str | None,
    sight: Sight,
    more: Mapping[str, float] = MappingProxyType({}),
) -> Asked:
    """The approval or rejection of what a step waits for. Raises as `signal`.

    `more` is what it allows of money, `usd` and `tokens`, where that is what the step asks for.
    """
    told = {"comment": comment} if comment is not None else {}
    command = _signal(run, step, {"approved": approved, **told, **more}, by)
    seen = await look(command, None, sight.store, sight.flows)
    if seen.wait is not None and not isinstance(seen.wait, ForApproval):
        what = f"step {step!r} waits for no approval; it waits for a {seen.wait.awaits}"
        raise SignalRefusedError(what, "no-approval")
    return _taken(command, seen)


async def order(command: Cancel | Pause | Resume, sight: Sight) -> Asked:
    """What a run that has not ended is told to do.

    Raises RunUnknownError, RunEndedError, and PauseRefusedError where it is as it shall be already.
    """
    found = await sight.store.get(run_path(command.run))
    if found is None:
        raise RunUnknownError(f"there is no run {command.run!r}")
    run = RunRecord.of(found.data)
    require_open(command, run)
    if isinstance(command, Pause) and run.is_paused:
        since = f"{run.paused_at:%Y-%m-%d %H:%M:%S} UTC"
        raise PauseRefusedError(f"run {run.run_id} is paused already, since {since}", "paused")
    if isinstance(command, Resume) and not run.is_paused:
        told = f"run {run.run_id} is not paused; there is nothing to resume"
        raise PauseRefusedError(told, "not-paused")
    return Asked(command, run)


def require_open(command: Cancel | Pause | Resume, run: RunRecord) -> None:
    """Raises RunEndedError where the run has ended."""
    if run.status.is_final:
        is_cancelled = run.status is RunStatus.CANCELLED
        ended = "was cancelled" if is_cancelled else f"has {run.status}"
        verb = command.type.rsplit(".", 1)[-1]
        told = f"run {run.run_id} {ended} already; there is nothing to {verb}"
        raise RunEndedError(told, "run-ended")


def message_of(asked: Asked, *, source: str, event_id: str, now: datetime) -> tuple[Message, Event]:
    """The message for the entry topic, in the run's own story, and the event as `route` reads it.

    Raises EventTooLargeError, EventInvalidError.
    """
    data = json.dumps(asked.command.model_dump(mode="json", exclude_none=True)).encode()
    attributes = {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": asked.command.type,
        "ce-source": source,
        "correlationid": asked.run.correlation_id,
        "traceparent": asked.run.traceparent,
        "content-type": "application/json",
    }
    event = from_message(attributes, data, message_id=event_id, published_at=now)
    return Message(data, attributes), event


def _signal(run: str, name: str, data: Any, by: str | None) -> Signal:
    return _valid(Signal, {"run": run, "name": name, "data": data, "by": by})


def _valid(kind: type[_C], fields: Mapping[str, Any]) -> _C:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        [first, *_] = error.errors()
        where = ".".join(str(part) for part in first["loc"])
        raise EventInvalidError(f"{where}: {first['msg']}") from error


def _taken(command: Signal, seen: Look) -> Asked:
    if seen.run is None:
        raise RunUnknownError(seen.refused)
    if seen.refused:
        raise SignalRefusedError(seen.refused, seen.reason)
    return Asked(command, RunRecord.of(seen.run.data))
