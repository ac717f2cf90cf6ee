"""Events that flows of unit tests are made of, and the steps that such a flow compiles to."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import yaml

from shared.domain.flow import Flow as Declared
from shared.prompting.source import read_yaml
from shared.typed import Event, StartEvent, StopEvent
from shared.typed.calling import AnyFlow
from shared.typed.compile import declaration, flow_text


class Ask(StartEvent):
    n: int
    style: str = 'plain "old"'


class A(Event):
    text: str


class B(Event):
    text: str
    size: int = 0


class C(Event):
    other: str = "c"


class Done(StopEvent):
    text: str


class Gone(StopEvent):
    why: str = "gone"


def steps_of(flow: AnyFlow) -> dict[str, Any]:
    steps: dict[str, Any] = declaration(flow.shape)["steps"]
    return steps


def says(flow: AnyFlow, steps: str) -> None:
    """The flow's steps are those of this YAML, and make a flow that can be declared."""
    assert steps_of(flow) == yaml.safe_load(dedent(steps))
    Declared.model_validate(read_yaml(flow_text(flow.shape), "f").data)
