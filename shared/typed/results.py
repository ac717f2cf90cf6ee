"""What a run of a typed flow came to: its StopEvent, from the run's outputs. Knows no client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError

from shared.domain.model import Json
from shared.errors import SegueError
from shared.typed.events import EVENT, StopEvent, name_of
from shared.typed.flow import Flow, Stop


class NoStopEventError(SegueError):
    """The run ended without one that the class knows: no step gave any, or it is of another
    version of the flow; `segue show` tells what its steps gave.
    """


def stop_event(flow: type[Flow[Any, Stop]], outputs: Mapping[str, Json]) -> Stop:
    """The flow's StopEvent. Raises NoStopEventError."""
    kinds = flow.shape.stops
    named = outputs.get(EVENT)
    fitting = kinds if len(kinds) == 1 else [kind for kind in kinds if name_of(kind) == named]
    for kind in fitting:
        try:
            found = kind.model_validate(_given(kind, outputs))
        except ValidationError as error:
            told = f"the outputs of {flow.name} are no {name_of(kind)}: {error.errors()[0]['msg']}"
            raise NoStopEventError(told) from error
        else:
            return cast("Stop", found)
    raise NoStopEventError(f"the outputs of {flow.name} name {named or 'no event'}")


def _given(kind: type[StopEvent], outputs: Mapping[str, Json]) -> Mapping[str, Json]:
    return {name: value for name, value in outputs.items() if name in kind.model_fields}
