"""A flow as its file declares it, and the graph that follows from it.

Decides what a flow may say; whether it makes sense is decided in `shared.prompting.checks.flow`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)

from shared.domain.budgets.declared import Budget
from shared.domain.durations import Seconds
from shared.domain.expressions import names
from shared.domain.instances import LOOP, instance_of
from shared.domain.model import Declared, Json
from shared.domain.rollouts.judges import Judges
from shared.domain.starts.batches import Batch
from shared.domain.starts.by_name import START
from shared.domain.starts.control import Concurrency, Debounce, Rate
from shared.domain.starts.schedules import DUE, FLOW_NAME, Schedule
from shared.domain.step import (
    KEEPS_LETTERS,
    STAGE_OF,
    AgentStep,
    AnyStep,
    Step,
    WaitStep,
    only_one_of,
)
from shared.domain.waiting import ForEvent

END = "$end"  # the implicit join that all leaves of a flow feed
RESERVED = frozenset({"event", "run", "loop", "self", "true", "false", "none", "not", "and", "or"})
_STEP_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Edge:
    """`target` hears of the end of `source`: a success counts, or a failure the flow provides for.

    The other ends reach it all the same, as a branch that did not succeed.
    """

    source: str
    target: str
    on: Literal["success", "error"] = "success"


class Trigger(Declared):
    """What every kind of trigger can say."""

    kind: ClassVar[str]

    where: str | None = Field(None, description="Expression over `event` that must hold.")


class EventTrigger(Trigger):
    """Events start a run."""

    kind: ClassVar[str] = "event"
    event: str = Field(description="CloudEvents type; `*` stands for any characters.")


class ScheduleTrigger(Trigger):
    """Time starts a run."""

    kind: ClassVar[str] = "schedule"
    schedule: Schedule


class BatchTrigger(Trigger):
    """Events start a run together."""

    kind: ClassVar[str] = "batch"
    batch: Batch


CALL = "call"


class CallTrigger(Trigger):
    """Nothing starts a run but the flow's name: a step of another flow, or a client."""

    kind: ClassVar[str] = CALL

    @model_validator(mode="before")
    @classmethod
    def _is_a_word(cls, value: object) -> object:
        return {} if value == CALL else value

    @model_serializer
    def _as_written(self) -> str:
        return CALL


TRIGGERS = ("event", "schedule", "batch")


def _trigger_kind(value: Any) -> str | None:
    if value == CALL or isinstance(value, CallTrigger):
        return CALL
    return only_one_of(TRIGGERS)(value)


AnyTrigger = Annotated[
    Annotated[EventTrigger, Tag("event")]
    | Annotated[ScheduleTrigger, Tag("schedule")]
    | Annotated[BatchTrigger, Tag("batch")]
    | Annotated[CallTrigger, Tag(CALL), WithJsonSchema({"type": "string", "const": CALL})],
    Discriminator(
        _trigger_kind,
        custom_error_type="trigger_kind",
        custom_error_message="a flow is started by exactly one of: event, schedule, batch; or by"
        " its name alone: `on: call`",
    ),
]


class Flow(Declared):
    """A declared graph of steps, started by an event, a schedule, or by its name."""

    flow: str = Field(pattern=FLOW_NAME, description="The flow's name.")
    description: str = ""
    on: AnyTrigger
    input: dict[str, Json] | None = Field(
        None, description="JSON Schema that the event's data must fit."
    )
    timeout: Seconds | None = Field(None, description="The run fails when it takes longer.")
    budget: Budget | None = Field(
        None, description="What its runs may spend on models, their children's calls included."
    )
    order_by: str | None = Field(
        None, description="Expression over `event`: runs of one value come one after another."
    )
    concurrency: Concurrency | None = None
    rate: Rate | None = None
    debounce: Debounce | None = None
    priority: str | None = Field(
        None,
        description="high, normal or low, or an expression over `event` that gives one of them;"
        " otherwise what the event's publisher says, or normal.",
        examples=["low", "'high' if event.data.plan == 'enterprise' else 'normal'"],
    )
    on_failure: str | None = Field(
        None, pattern=FLOW_NAME, description="Name of a flow that is started when a run fails."
    )
    judge: Judges = Field(default_factory=dict)
    steps: dict[str, AnyStep] = Field(min_length=1)
    outputs: dict[str, Json] = Field(
        default_factory=dict, description="Templates over the steps; the run's result."
    )

    @field_validator("steps")
    @classmethod
    def _usable_names(cls, steps: dict[str, Step]) -> dict[str, Step]:
        for name in steps:
            if not _STEP_NAME.fullmatch(name) or name in RESERVED or keyword.iskeyword(name):
                raise ValueError(
                    f"step name {name!r} cannot be used in expressions; use a-z, 0-9 and _,"
                    f" none of {', '.join(sorted(RESERVED))} and no Python keyword"
                )
        return steps

    def takes(self, event_type: str, subject: str | None = None) -> bool:
        """Whether such an event may start it; of a schedule, only the tick that is its own.

        Each flow takes the event that starts it by its name.
        """
        if event_type == START:
            return subject == self.flow
        match self.on:
            case ScheduleTrigger():
                return event_type == DUE and subject == self.flow
            case EventTrigger():
                return fnmatchcase(event_type, self.on.event)
            case _:
                return False

    def collects(self, event_type: str) -> Batch | None:
        """How such an event is collected with others, where it is."""
        if isinstance(self.on, BatchTrigger) and fnmatchcase(event_type, self.on.batch.event):
            return self.on.batch
        return None

    @property
    def lane(self) -> Concurrency | None:
        """How many of its runs are under way at once; in order is one by one."""
        if self.order_by is not None:
            return Concurrency(limit=1, key=self.order_by)
        return self.concurrency

    @property
    def is_controlled(self) -> bool:
        """Whether its runs may have to wait for others, or for the time to pass."""
        return not (self.lane is None and self.rate is None and self.debounce is None)

    def declared(self, instance: str) -> Step:
        """What is declared of a step, an item of it, or a turn or call of an agent."""
        named = instance_of(instance)
        step = self.steps[named.step]
        return step.of_parts if named.part is not None and isinstance(step, AgentStep) else step

    def stage(self, instance: str) -> str:
        """The stage that a step or an item of it starts in.

        Of a step that no stage works on, the one that has its dead letters.
        """
        part = instance_of(instance).part
        if part is not None:
            return "act" if part.call is not None else "compose" if part.turn == 1 else "generate"
        return STAGE_OF.get(self.declared(instance).kind, KEEPS_LETTERS)

    def is_opened(self, instance: str) -> bool:
        """Whether no stage works on the step: whoever advances the run opens it."""
        is_part = instance_of(instance).part is not None
        return not is_part and self.declared(instance).kind not in STAGE_OF

    def awaits_signal(self, name: str) -> str | None:
        """The step that waits for a signal of that name, an approval too."""
        for step, declared in self.steps.items():
            if isinstance(declared, WaitStep) and declared.signal(step) == name:
                return step
        return None

    def awaited_events(self) -> list[ForEvent]:
        """What its steps say of the events that they wait for."""
        waits = (step.wait for step in self.steps.values() if isinstance(step, WaitStep))
        return [wait for wait in waits if isinstance(wait, ForEvent)]

    # -- the graph --------------------------------------------------------------------------

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        needs = (Edge(need, name) for name, step in self.steps.items() for need in step.needs)
        failing = (
            Edge(name, target, "error")
            for name, step in self.steps.items()
            for target in (step.goto, step.stand_in)
            if target is not None
        )
        # Whoever needs a step needs what may take its place: one of the two succeeds at most.
        instead = (
            Edge(other.stand_in, name)
            for name, step in self.steps.items()
            for need in step.needs
            if (other := self.steps.get(need)) is not None and other.stand_in is not None
        )
        return tuple(dict.fromkeys((*needs, *failing, *instead)))

    @cached_property
    def incoming(self) -> dict[str, tuple[Edge, ...]]:
        """By step: what it waits for."""
        return {name: tuple(e for e in self.edges if e.target == name) for name in self.steps}

    @cached_property
    def outgoing(self) -> dict[str, tuple[Edge, ...]]:
        """By step: who waits for it, in the flow's order."""
        order = {name: at for at, name in enumerate(self.steps)}
        known = sorted(
            (e for e in self.edges if e.target in order), key=lambda e: (order[e.target], e.on)
        )
        return {name: tuple(edge for edge in known if edge.source == name) for name in self.steps}

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """Steps that the event starts: nothing leads to them."""
        return tuple(name for name in self.steps if not self.incoming[name])

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        return tuple(name for name in self.steps if not self.outgoing[name])

    @cached_property
    def can_outrun(self) -> bool:
        """Whether the run can end while a step of it is still under way or yet to come."""
        return any(step.finish or step.quorum is not None for step in self.steps.values())

    @cached_property
    def compensates(self) -> bool:
        """Whether there may be something to undo where a run does not succeed."""
        return any(step.compensate is not None for step in self.steps.values())

    def is_join(self, step: str) -> bool:
        return self.width(step) > 1

    def width(self, step: str) -> int:
        """How many arrivals a step, or the end, can have."""
        return len(self.leaves) if step == END else len(self.incoming[step])

    def quorum(self, step: str) -> int | None:
        """How many successes let it go ahead at once; None where it waits for all arrivals."""
        return None if step == END else self.steps[step].quorum

    def ancestors(self, step: str) -> frozenset[str]:
        """All steps that may have finished when this one starts; at the end, all there are."""
        if step == END:
            return frozenset(self.steps)
        return _closure(self._sources(step), self._sources)

    def later(self, step: str) -> frozenset[str]:
        """The step and all behind it."""
        return frozenset() if step == END else _closure((step,), self._targets)

    def _sources(self, step: str) -> tuple[str, ...]:
        return tuple(edge.source for edge in self.incoming[step])

    def _targets(self, step: str) -> tuple[str, ...]:
        return tuple(edge.target for edge in self.outgoing[step])

    # -- variables --------------------------------------------------------------------------

    def named(self, step: str, output: Any) -> dict[str, Any]:
        """A step's output by its name, and by those of the steps that it has stood in for."""
        replaced = (name for name, other in self.steps.items() if other.stand_in == step)
        return dict.fromkeys((step, *replaced), output)

    def references(self, step: str) -> frozenset[str]:
        """Variables that the step's own declaration refers to."""
        declared = self.steps[step]
        condition = names(declared.when, expression=True) if declared.when else frozenset()
        if declared.foreach is None:
            return condition | declared.texts_read
        items = names(declared.foreach.source, expression=True)
        return condition | items | (declared.texts_read - LOOP)


def _closure(start: Iterable[str], following: Callable[[str], Iterable[str]]) -> frozenset[str]:
    found: set[str] = set()
    todo = list(start)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(following(name))
    return frozenset(found)
