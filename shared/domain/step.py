"""What a step of a flow can say, by kind.

Decides what may be written; whether it makes sense is decided in `shared.prompting.checks.flow`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from shared.domain.agents.declared import (
    AgentTool,
    AnyTool,
    FlowTool,
    Limits,
    Persona,
    PersonaName,
    SearchTool,
    reads_of,
)
from shared.domain.choices import MAPPING, WORD, one_of
from shared.domain.compensation import Compensation
from shared.domain.durations import Seconds
from shared.domain.expressions import names
from shared.domain.foreach import ForEach, also_text, for_each
from shared.domain.model import Declared, Json
from shared.domain.retrieval.searches import Embedding, Retrieval
from shared.domain.retry import Retry
from shared.domain.waiting import ForApproval, ForSignal, Wait


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Needs = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Quorum(Declared):
    """So many successes let a join start; it does not wait for the others."""

    n: int = Field(ge=1, description="How many of its branches must have succeeded.")


class Goto(Declared):
    """The run goes on at another step."""

    goto: str = Field(description="The step that is started in place of the step's successors.")


Join = Annotated[
    Annotated[Literal["all", "any"], Tag(WORD)] | Annotated[Quorum, Tag(MAPPING)],
    one_of("all", "any", otherwise=Quorum),
]
OnError = Annotated[
    Annotated[Literal["fail", "continue"], Tag(WORD)] | Annotated[Goto, Tag(MAPPING)],
    one_of("fail", "continue", otherwise=Goto),
]


class Fallback(Declared):
    """What takes the place of a step that has failed, retries and all."""

    value: Json = Field(None, description="Value or template: the step's output.")
    prompt: str | None = Field(None, description="Another prompt, asked once.")
    model: str | None = Field(None, description="Another model, asked the same once.")
    step: str | None = Field(None, description="Another step, whose output stands in for its own.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("a fallback is exactly one of: value, prompt, model, step")
        return self

    @property
    def is_value(self) -> bool:
        return "value" in self.model_fields_set


class Step(Declared):
    """What every kind of step can say."""

    kind: ClassVar[str]

    needs: Needs = Field((), description="Steps that must have finished before this one starts.")
    join: Join = Field(
        "all",
        description="Of several branches: `all` have ended and one has succeeded, `any` or"
        " `{n: 2}` have succeeded.",
    )
    when: str | None = Field(None, description="Expression; the step is skipped where it is false.")
    foreach: Annotated[ForEach | None, BeforeValidator(for_each)] = Field(
        None,
        description="Expression for a list, or a mapping with it as `in`: the step is run for each"
        " item, which `with` and the prompt see as `item` and `index`.",
        json_schema_extra=also_text,
    )
    timeout: Seconds | None = Field(
        None, description="The step, or each of its items, fails when it works longer."
    )
    retry: Retry | None = Field(None, description="How often it is tried, and when again.")
    fallback: Fallback | None = Field(None, description="What takes its place where it fails.")
    on_error: OnError = Field(
        "fail",
        description="What its failure does: the run fails, or goes on without the step"
        " (`continue`) or at another one (`{goto: step}`).",
    )
    compensate: Compensation | None = Field(
        None, description="What undoes it, where its run fails or is cancelled after it."
    )
    finish: bool = Field(
        False, description="Where it succeeds the run ends, whatever is still under way."
    )
    arguments: dict[str, Json] = Field(
        default_factory=dict,
        alias="with",
        description="Values or templates that the prompt, action or function gets.",
    )

    @property
    def texts_read(self) -> frozenset[str]:
        """Variables that its `with` and its fallback refer to."""
        value = self.fallback.value if self.fallback is not None else None
        return names([*self.arguments.values(), value])

    @property
    def quorum(self) -> int | None:
        """How many successes let it start at once; None where it waits for all of its branches."""
        if isinstance(self.join, Quorum):
            return self.join.n
        return 1 if self.join == "any" else None

    @property
    def goto(self) -> str | None:
        """The step that its failure starts in place of its successors."""
        return self.on_error.goto if isinstance(self.on_error, Goto) else None

    @property
    def stand_in(self) -> str | None:
        """The step that its failure starts, and whose output is then taken for its own."""
        return self.fallback.step if self.fallback is not None else None

    @property
    def survives(self) -> bool:
        """Whether the run goes on where it fails."""
        return self.on_error != "fail" or self.stand_in is not None


class PromptStep(Step):
    """Asks a model with a prompt from `prompts/templates`."""

    kind: ClassVar[str] = "prompt"
    prompt: str = Field(description="Name of a prompt, e.g. support/classify.")
    models: tuple[str, ...] = Field(
        (),
        description="Models in order, in place of the prompt's: one that is not well is skipped.",
    )


class AgentStep(Step):
    """Lets a model work with tools, turn by turn, until it answers without calling one."""

    kind: ClassVar[str] = "agent"
    agent: str = Field(description="Name of a prompt, e.g. support/agent.")
    tools: tuple[AnyTool, ...] = Field(
        (),
        description="Names of the tools that it may call, or mappings with them as `tool`; or with"
        " a `collection` that it may search, or a `flow` that it may have carried out.",
    )
    limits: Limits = Field(Limits(), description="What it may use up in all.")
    hand_offs: dict[PersonaName, Persona] = Field(
        default_factory=dict,
        description="Personas that may go on with the conversation, by name: the model is given"
        " the tools `hand_off_to_<name>`.",
    )

    @property
    def texts_read(self) -> frozenset[str]:
        return super().texts_read | reads_of(self.every_tool)

    @property
    def flows(self) -> tuple[FlowTool, ...]:
        """The flows that its calls may open, those of its personas, too."""
        return tuple(tool for tool in self.every_tool if isinstance(tool, FlowTool))

    @property
    def every_tool(self) -> tuple[AnyTool, ...]:
        """Those of its personas, too; several may have the same."""
        others = (tool for persona in self.hand_offs.values() for tool in persona.tools)
        return (*self.tools, *others)

    def as_spoken(self, speaker: str | None) -> Self:
        """The step with the prompt and the tools of whoever speaks; its own but for a persona."""
        persona = self.hand_offs.get(speaker or "")
        if persona is None:
            return self
        return self.model_copy(update={"agent": persona.agent, "tools": persona.tools})

    @property
    def of_parts(self) -> Self:
        """What of it holds for each turn and call; the rest is said of the step as a whole."""
        whole = {"timeout": None, "fallback": None, "on_error": "fail", "finish": False}
        return self.model_copy(update=whole)

    def tool(self, name: str) -> AgentTool | None:
        """What it says of a tool; None where it does not have it."""
        tools = (one for one in self.tools if isinstance(one, AgentTool))
        return next((one for one in tools if one.tool == name), None)

    def search(self, name: str) -> SearchTool | None:
        """The collection that is searched by that name; None where none is."""
        searches = (one for one in self.tools if isinstance(one, SearchTool))
        return next((one for one in searches if one.name == name), None)

    def delegate(self, name: str) -> FlowTool | None:
        """The flow that is carried out by that name; None where none is."""
        flows = (one for one in self.tools if isinstance(one, FlowTool))
        return next((one for one in flows if one.name == name), None)


class ActionStep(Step):
    """Has an effect outside: Slack, e-mail, HTTP, Firestore, an event, a log line."""

    kind: ClassVar[str] = "action"
    action: str = Field(description="Name of an action, e.g. email.send.")


class CallStep(Step):
    """Calls a registered Python function with typed arguments."""

    kind: ClassVar[str] = "call"
    call: str = Field(description="Name of a registered function, e.g. crm.find_customer.")


class RetrieveStep(Step):
    """Searches a collection for what is near to a query."""

    kind: ClassVar[str] = "retrieve"
    retrieve: Retrieval

    @property
    def texts_read(self) -> frozenset[str]:
        return super().texts_read | self.retrieve.reads


class EmbedStep(Step):
    """Has vectors of texts made and kept, for a collection that is then given them."""

    kind: ClassVar[str] = "embed"
    embed: Embedding

    @property
    def texts_read(self) -> frozenset[str]:
        return super().texts_read | self.embed.reads


class FlowStep(Step):
    """Opens a run of another flow, a child, and waits for its end."""

    kind: ClassVar[str] = "flow"
    flow: str = Field(description="Name of a flow; `with` is the data of the child's event.")
    awaited: bool = Field(
        True,
        alias="await",
        description="Whether its outputs are waited for; else the step succeeds at once.",
    )


class WaitStep(Step):
    """Waits for somebody's approval, a signal, an event or the time, and holds no compute."""

    kind: ClassVar[str] = "wait"
    wait: Wait

    def signal(self, name: str) -> str | None:
        """The name of the signal that a step of that name waits for, an approval's too."""
        match self.wait:
            case ForApproval():
                return name
            case ForSignal():
                return self.wait.name or name
            case _:
                return None

    @property
    def texts_read(self) -> frozenset[str]:
        return super().texts_read | self.wait.reads

    @property
    def goto(self) -> str | None:
        """The step that its failure, or only its timeout, starts in place of its successors."""
        return super().goto or self.wait.after_timeout


KINDS = ("prompt", "agent", "action", "call", "wait", "flow", "retrieve", "embed")
STAGE_OF = {
    "prompt": "compose",
    "action": "act",
    "call": "act",
    "retrieve": "compose",
    "embed": "compose",
}
# The other kinds no stage works on: whoever advances the run opens them, and this one has their
# dead letters.
KEEPS_LETTERS = "act"


def only_one_of(kinds: tuple[str, ...]) -> Callable[[Any], str | None]:
    """Tells by its keys what a value is; None where that is none of `kinds`, or several."""

    def kind_of(value: Any) -> str | None:
        keys = value if isinstance(value, Mapping) else getattr(value, "model_fields_set", ())
        present = [kind for kind in kinds if kind in keys]
        return present[0] if len(present) == 1 else None

    return kind_of


AnyStep = Annotated[
    Annotated[PromptStep, Tag("prompt")]
    | Annotated[AgentStep, Tag("agent")]
    | Annotated[ActionStep, Tag("action")]
    | Annotated[CallStep, Tag("call")]
    | Annotated[WaitStep, Tag("wait")]
    | Annotated[FlowStep, Tag("flow")]
    | Annotated[RetrieveStep, Tag("retrieve")]
    | Annotated[EmbedStep, Tag("embed")],
    Discriminator(
        only_one_of(KINDS),
        custom_error_type="step_kind",
        custom_error_message=f"a step has exactly one of: {', '.join(KINDS)}",
    ),
]
