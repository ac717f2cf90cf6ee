"""What a flow can say of an agent: the tools that its model may call, and the limits it works in.

Decides what may be written; whether it makes sense is decided in `shared.prompting.checks.agent`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from shared.domain.agents.conversation import ToolDeclaration
from shared.domain.agents.tool import NAME
from shared.domain.choices import MAPPING, TAG, WORD, one_of
from shared.domain.durations import Seconds
from shared.domain.expressions import names
from shared.domain.model import Declared, Json
from shared.domain.retrieval.searches import Search

LONGEST_QUERY = 2000  # characters; models that embed take at least as much
ARGS = "args"  # what a call was asked for with, in the expression that says who has to approve it


class When(Declared):
    """Only some calls need it."""

    when: str = Field(description="Expression over `args` and what the step sees.")


Approval = Annotated[
    Annotated[Literal["always"], Tag(WORD)] | Annotated[When, Tag(MAPPING)],
    one_of("always", otherwise=When),
]


class Approvable(Declared):
    """What a person may have to approve before it begins."""

    approval: Approval | None = Field(
        None, description="Whether a person has to approve a call before it begins."
    )
    approvers: tuple[str, ...] = Field((), description="Who may; left out: anybody.")


class AgentTool(Approvable):
    """A tool that the model may call."""

    tool: str = Field(description="Its name.")
    timeout: Seconds = Field(
        60.0, le=270, description="How long a call may take; then the model is told that it did."
    )

    @property
    def name(self) -> str:
        """What the model calls it."""
        return self.tool


class FlowTool(Approvable):
    """A flow that the model may have carried out: a call of it is a run, which it waits for."""

    flow: str = Field(description="Name of a flow; the tool takes what its `input` says.")
    name: str = Field(alias="as", pattern=f"^{NAME}$", description="What the model calls it.")
    description: str = Field(min_length=1, description="What the model is told that it does.")

    def declaration(self, parameters: dict[str, Json]) -> ToolDeclaration:
        """What the model is told; `parameters` is the flow's `input`."""
        return ToolDeclaration(name=self.name, description=self.description, parameters=parameters)


class SearchTool(Search):
    """A collection that the model may search, with queries of its own."""

    approval: ClassVar[None] = None  # it changes nothing

    name: str = Field(alias="as", pattern=f"^{NAME}$", description="What the model calls it.")
    description: str = Field(min_length=1, description="What the model is told that it finds.")

    def declaration(self) -> ToolDeclaration:
        """What the model is told."""
        query = {"type": "string", "minLength": 1, "maxLength": LONGEST_QUERY}
        told = {"query": {**query, "description": "What to look for, in words of a document."}}
        return ToolDeclaration(
            name=self.name,
            description=self.description,
            parameters={
                "type": "object",
                "required": ["query"],
                "additionalProperties": False,
                "properties": told,
            },
        )


def _also_a_name(schema: dict[str, Any]) -> None:
    kinds = schema.pop("oneOf", None) or schema.pop("anyOf")
    schema["anyOf"] = [{"type": "string"}, *kinds]


_TOOL, _SEARCH, _FLOW = f"{TAG}tool", f"{TAG}search", f"{TAG}flow"


def _kind(value: object) -> str | None:
    if isinstance(value, SearchTool) or (isinstance(value, Mapping) and "collection" in value):
        return _SEARCH
    if isinstance(value, FlowTool) or (isinstance(value, Mapping) and "flow" in value):
        return _FLOW
    return _TOOL if isinstance(value, str | Mapping | AgentTool) else None


def _named(value: object) -> object:
    return {"tool": value} if isinstance(value, str) else value


AnyTool = Annotated[
    Annotated[AgentTool, BeforeValidator(_named), Tag(_TOOL)]
    | Annotated[SearchTool, Tag(_SEARCH)]
    | Annotated[FlowTool, Tag(_FLOW)],
    Discriminator(
        _kind,
        custom_error_type="tool",
        custom_error_message="this is the name of a tool, or a mapping with `tool`, `collection` or"
        " `flow`",
    ),
    Field(json_schema_extra=_also_a_name),
]


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


def reads_of(tools: Iterable[AnyTool]) -> frozenset[str]:
    """Variables that their searches and the conditions of their approvals refer to."""
    tools = tuple(tools)
    texts = [tool.approval.when for tool in tools if isinstance(tool.approval, When)]
    found = frozenset[str]().union(*(names(text, expression=True) for text in texts))
    searched = (tool.reads for tool in tools if isinstance(tool, SearchTool))
    return (found - {ARGS}).union(*searched)
