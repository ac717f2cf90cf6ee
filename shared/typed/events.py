"""What steps of a typed flow take and give: frozen, checked, JSON.

Decides how an event is written in a step's output and read from it. Knows no flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from shared.domain.model import Json

EVENT = "event"  # key of an output: the name of the event that a step has emitted


class Event(BaseModel):
    """Something that a step emits, and other steps take. Its name is that of its class.

    Fields are JSON. Unknown ones are let through, so that a run outlives a deployment that adds
    some.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")


class StartEvent(Event):
    """What a flow is started with: the data of the event that it takes."""


class StopEvent(Event):
    """What a flow comes to: its fields are the run's outputs."""


class ProgressEvent(Event):
    """What a step tells of its work on the way, to whoever follows the run. Starts nothing."""


E = TypeVar("E", bound=Event)


def name_of(kind: type[Event]) -> str:
    """What outputs, conditions and complaints call it."""
    return kind.__name__


def written(event: Event) -> dict[str, Json]:
    """The event as it stands in an output. Raises ValueError where its fields are no JSON."""
    return {EVENT: name_of(type(event)), **fields_of(event)}


def fields_of(event: Event) -> dict[str, Json]:
    """The event without its name, checked once more: what it holds may have been changed."""
    fields: dict[str, Json] = event.model_dump(mode="json", warnings=False)
    type(event).model_validate(fields)
    return fields


def read(value: Any, kinds: tuple[type[E], ...]) -> E:
    """The event in a step's output, which is one of `kinds`.

    An output without a name is a model's answer: then there is one kind alone. Raises ValueError.
    """
    named = value.get(EVENT) if isinstance(value, Mapping) else None
    fitting = [kind for kind in kinds if name_of(kind) == named] or list(kinds)
    if len(fitting) > 1:
        expected = " or ".join(map(name_of, kinds))
        raise ValueError(f"this is to be {expected}, and is {named or 'none of them'}")
    return fitting[0].model_validate(value)
