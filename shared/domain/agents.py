"""What a flow can say of an agent: the tools that its model may call, and the limits it works in.

Decides what may be written; whether it makes sense is decided in `shared.prompting.check_agent`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Tag

from shared.domain.choices import MAPPING, WORD, one_of
from shared.domain.durations import Seconds
from shared.domain.expressions import names
from shared.domain.model import Declared

ARGS = "args"  # what a call was asked for with, in the expression that says who has to approve it


class When(Declared):
    """Only some calls need it."""

    when: str = Field(description="Expression over `args` and what the step sees.")


Approval = Annotated[
    Annotated[Literal["always"], Tag(WORD)] | Annotated[When, Tag(MAPPING)],
    one_of("always", otherwise=When),
]


class AgentTool(Declared):
    """A tool that the model may call."""

    tool: str = Field(description="Its name.")
    approval: Approval | None = Field(
        None, description="Whether a person has to approve a call before it begins."
    )
    approvers: tuple[str, ...] = Field((), description="Who may; left out: anybody.")
    timeout: Seconds = Field(
        60.0, le=270, description="How long a call may take; then the model is told that it did."
    )


def _also_a_name(schema: dict[str, Any]) -> None:
    reference = dict(schema)
    schema.clear()
    schema["anyOf"] = [{"type": "string"}, reference]


def _tool(value: object) -> object:
    is_tool = isinstance(value, str | Mapping | AgentTool)
    if not is_tool:
        raise ValueError("this is the name of a tool, or a mapping with it as `tool`")
    return {"tool": value} if isinstance(value, str) else value


AnyTool = Annotated[AgentTool, BeforeValidator(_tool), Field(json_schema_extra=_also_a_name)]


PersonaName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


class Persona(Declared):
    """Another prompt that an agent's conversation can be handed to."""

    agent: str = Field(description="Name of its prompt, whose instruction and model it has.")
    tools: tuple[AnyTool, ...] = Field((), description="The tools that it may call, and no others.")
    description: str | None = Field(
        None, description="What the others are told it is for; else its prompt's own."
    )
    to: tuple[str, ...] | None = Field(
        None, description="Whom it may hand over to, the step's own prompt by the step's name; all."
    )


class Limits(Declared):
    """What an agent may use up in all; retries and redrives count on."""

    turns: int = Field(20, ge=1, le=200, description="Turns of the model.")
    calls: int = Field(50, ge=0, le=1000, description="Calls of tools.")
    repeats: int = Field(
        3,
        ge=1,
        le=100,
        description="Calls of one tool with the same arguments; one more is"
        " answered with an error, and a second one more fails the step.",
    )


def reads_of(tools: Iterable[AgentTool]) -> frozenset[str]:
    """Variables that the conditions of their approvals refer to."""
    texts = [tool.approval.when for tool in tools if isinstance(tool.approval, When)]
    found = frozenset[str]().union(*(names(text, expression=True) for text in texts))
    return found - {ARGS}
