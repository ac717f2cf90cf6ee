"""What the annotations of a typed flow say: the events that its steps take and give.

Pure data, without a verdict on how the steps are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from shared.typed.events import Event, StartEvent, StopEvent, name_of
from shared.typed.steps import Options


@dataclass(frozen=True)
class Taken:
    """A parameter: one event of these kinds, or with `many` a list of them."""

    name: str
    kinds: tuple[type[Event], ...]
    many: bool = False

    @property
    def starts(self) -> bool:
        """Whether it is what the flow is started with."""
        return any(issubclass(kind, StartEvent) for kind in self.kinds)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(map(name_of, self.kinds))


@dataclass(frozen=True)
class Given:
    """What a step returns: an event of these kinds, a list of them, or with `maybe` nothing."""

    kinds: tuple[type[Event], ...] = ()
    many: bool = False
    maybe: bool = False

    @property
    def stops(self) -> tuple[type[Event], ...]:
        return tuple(kind for kind in self.kinds if issubclass(kind, StopEvent))

    @property
    def names(self) -> frozenset[str]:
        return frozenset(map(name_of, self.kinds))


@dataclass(frozen=True)
class StepShape:
    """One step. `context` is the name of the parameter that gets the context, if there is one."""

    name: str
    method: Callable[..., Any]
    options: Options
    takes: tuple[Taken, ...]
    gives: Given
    line: int
    context: str | None = None
    state: type[BaseModel] | None = None

    @property
    def is_prompt(self) -> bool:
        return self.options.prompt is not None


@dataclass(frozen=True)
class FlowShape:
    """One flow, as its class declares it. `line` is where something is wrong with it as a whole."""

    name: str
    title: str  # of the class
    module: str
    file: str
    line: int
    on: str
    where: str | None
    timeout: str | float | None
    description: str
    steps: Mapping[str, StepShape]

    @property
    def start(self) -> type[StartEvent]:
        """What it is started with."""
        kinds = (k for s in self.steps.values() for t in s.takes if t.starts for k in t.kinds)
        return next(kind for kind in kinds if issubclass(kind, StartEvent))

    @property
    def stops(self) -> tuple[type[StopEvent], ...]:
        """What it may come to."""
        kinds = (k for s in self.steps.values() for k in s.gives.stops)
        return tuple(dict.fromkeys(kind for kind in kinds if issubclass(kind, StopEvent)))

    @property
    def state(self) -> type[BaseModel] | None:
        """The model of its context's state."""
        return next((s.state for s in self.steps.values() if s.state is not None), None)
