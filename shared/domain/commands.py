"""What people, clients and runs ask of a run: events of the entry topic that `route` obeys.

Decides their types and what they carry; what they do is decided in `shared.delivery`. They are no
facts for flows to react to: no flow is started by them, and the event store does not keep them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, StrictBool, StrictFloat, StrictInt, ValidationError

from shared.domain.events import Event
from shared.domain.model import Json, Wire
from shared.errors import EventInvalidError

OWN = "segue."  # what types begin with that nobody outside may send


class Command(Wire):
    """Asks something of one run. `by` is who asks, as they say."""

    type: ClassVar[str]

    run: str = Field(min_length=1)
    by: str | None = None


class Signal(Command):
    """Tells a waiting step, or one that will wait, what it waits for."""

    type: ClassVar[str] = "segue.run.signal"

    name: str = Field(min_length=1, max_length=256)
    data: Json = None


class Cancel(Command):
    """Ends the run as cancelled."""

    type: ClassVar[str] = "segue.run.cancel"

    reason: str | None = None


class Pause(Command):
    """Lets nothing more begin in the run until it is resumed."""

    type: ClassVar[str] = "segue.run.pause"

    reason: str | None = None


class Resume(Command):
    """Lets a paused run go on."""

    type: ClassVar[str] = "segue.run.resume"


class RunEnded(Command):
    """A run has ended, and somebody has to hear of it: its parent, its undoing, its hook."""

    type: ClassVar[str] = "segue.run.ended"


class Outcome(Command):
    """Says how well a run did. Anybody may: it is no order."""

    type: ClassVar[str] = "outcome.recorded"

    name: str = Field(min_length=1, max_length=128)
    value: StrictBool | StrictInt | StrictFloat


COMMANDS: Mapping[str, type[Command]] = {
    kind.type: kind for kind in (Signal, Cancel, Pause, Resume, RunEnded, Outcome)
}


def command_of(event: Event) -> Command | None:
    """The command that an event is, None where it is a fact. Raises EventInvalidError."""
    kind = COMMANDS.get(event.type)
    if kind is None:
        return None
    try:
        return kind.model_validate(event.data)
    except ValidationError as error:
        [first, *_] = error.errors()
        where = ".".join(str(part) for part in first["loc"])
        raise EventInvalidError(f"{event.type}: {where or 'data'}: {first['msg']}") from error
