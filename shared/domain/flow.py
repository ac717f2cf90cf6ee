"""A flow as its file declares it, and the graph that follows from it.

Decides what a flow may say; whether it makes sense is decided in `shared.prompting.check`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, field_validator

from shared.domain.durations import Seconds
from shared.domain.expressions import names
from shared.domain.model import Declared, Json
from shared.domain.schedules import DUE, FLOW_NAME, Schedule

END = "$end"  # the implicit join that all leaves of a flow feed
RESERVED = frozenset({"event", "run", "loop", "self", "true", "false", "none", "not", "and", "or"})
_STEP_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Needs = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Step(Declared):
    """What every kind of step can say."""

    kind: ClassVar[str]

    needs: Needs = Field((), description="Steps that must have finished before this one starts.")
    when: str | None = Field(None, description="Expression; the step is skipped where it is false.")
    timeout: Seconds | None = Field(None, description="The step fails when it works longer.")
    arguments: dict[str, Json] = Field(
        default_factory=dict,
        alias="with",
        description="Values or templates that the prompt, action or function gets.",
    )


class PromptStep(Step):
    """Asks a model with a prompt from `prompts/templates`."""

    kind: ClassVar[str] = "prompt"
    prompt: str = Field(description="Name of a prompt, e.g. support/classify.")


class ActionStep(Step):
    """Has an effect outside: Slack, e-mail, HTTP, Firestore, an event, a log line."""

    kind: ClassVar[str] = "action"
    action: str = Field(description="Name of an action, e.g. email.send.")


class CallStep(Step):
    """Calls a registered Python function with typed arguments."""

    kind: ClassVar[str] = "call"
    call: str = Field(description="Name of a registered function, e.g. crm.find_customer.")


KINDS = ("prompt", "action", "call")
STAGE_OF = {"prompt": "compose", "action": "act", "call": "act"}


def _only_one_of(kinds: tuple[str, ...]) -> Callable[[Any], str | None]:
    """Tells by its keys what a value is; None where that is none of `kinds`, or several."""

    def kind_of(value: Any) -> str | None:
        keys = value if isinstance(value, Mapping) else getattr(value, "model_fields_set", ())
        present = [kind for kind in kinds if kind in keys]
        return present[0] if len(present) == 1 else None

    return kind_of


AnyStep = Annotated[
    Annotated[PromptStep, Tag("prompt")]
    | Annotated[ActionStep, Tag("action")]
    | Annotated[CallStep, Tag("call")],
    Discriminator(
        _only_one_of(KINDS),
        custom_error_type="step_kind",
        custom_error_message="a step has exactly one of: prompt, action, call",
    ),
]


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


TRIGGERS = ("event", "schedule")

AnyTrigger = Annotated[
    Annotated[EventTrigger, Tag("event")] | Annotated[ScheduleTrigger, Tag("schedule")],
    Discriminator(
        _only_one_of(TRIGGERS),
        custom_error_type="trigger_kind",
        custom_error_message="a flow is started by exactly one of: event, schedule",
    ),
]


class Flow(Declared):
    """A declared graph of steps, started by an event or a schedule."""

    flow: str = Field(pattern=FLOW_NAME, description="The flow's name.")
    description: str = ""
    on: AnyTrigger
    input: dict[str, Json] | None = Field(
        None, description="JSON Schema that the event's data must fit."
    )
    timeout: Seconds | None = Field(None, description="The run fails when it takes longer.")
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
        """Whether such an event may start it; of a schedule, only the tick that is its own."""
        if isinstance(self.on, ScheduleTrigger):
            return event_type == DUE and subject == self.flow
        return fnmatchcase(event_type, self.on.event)

    def stage(self, step: str) -> str:
        """The stage that a step starts in."""
        return STAGE_OF[self.steps[step].kind]

    @cached_property
    def roots(self) -> tuple[str, ...]:
        return tuple(name for name, step in self.steps.items() if not step.needs)

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        return tuple(name for name in self.steps if not self.successors[name])

    @cached_property
    def successors(self) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(other for other, step in self.steps.items() if name in step.needs)
            for name in self.steps
        }

    def is_join(self, step: str) -> bool:
        return self.width(step) > 1

    def width(self, step: str) -> int:
        """How many arrivals let a step, or the end, go ahead."""
        return len(self.leaves) if step == END else len(self.steps[step].needs)

    def ancestors(self, step: str) -> frozenset[str]:
        """All steps that have finished when this one starts; at the end, all there are."""
        if step == END:
            return frozenset(self.steps)
        return _closure(self.steps[step].needs, lambda name: self.steps[name].needs)

    def later(self, step: str) -> frozenset[str]:
        """The step and all behind it."""
        return frozenset() if step == END else _closure((step,), self.successors.__getitem__)

    def references(self, step: str) -> frozenset[str]:
        """Variables that the step's own declaration refers to."""
        declared = self.steps[step]
        condition = names(declared.when, expression=True) if declared.when else frozenset()
        return condition | names(list(declared.arguments.values()))


def _closure(start: Iterable[str], following: Any) -> frozenset[str]:
    found: set[str] = set()
    todo = list(start)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(following(name))
    return frozenset(found)
