"""Immutable versions: a prompt with its partials, and a flow with the prompts and tools it uses.

A flow's version covers them, so one pin on a run fixes everything the run will say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from shared.domain.agents.declared import AgentTool, SearchTool, reads_of
from shared.domain.agents.tool import ToolVersion
from shared.domain.expressions import names
from shared.domain.flow import Flow
from shared.domain.ids import content_hash
from shared.domain.instances import FIRST, LOOP, Instance
from shared.domain.model import Declared, Json, Wire
from shared.domain.model_calls.caching import Cache
from shared.domain.model_calls.contexts import ContextCache
from shared.domain.retrieval.collection import Collection
from shared.domain.retrieval.searches import RETRIEVED, Retrieval
from shared.domain.step import (
    ActionStep,
    AgentStep,
    CallStep,
    EmbedStep,
    PromptStep,
    RetrieveStep,
    Step,
)
from shared.errors import CollectionUnknownError

# Actions and functions whose argument `collection` names one that the flow must know.
FILLING = frozenset({"collection.put", "collection.remove", "retrieval.split"})

_LATER = frozenset(
    {"models", "cache", "context_cache", "retrieve", "cites"}
)  # keys that older versions of prompts do not have


def _either(schema: dict[str, Any]) -> None:
    """The first of several models need not be named twice."""
    schema["required"] = [key for key in schema["required"] if key != "model"]
    schema["anyOf"] = [{"required": ["model"]}, {"required": ["models"]}]


class FrontMatter(Declared):
    """The head of a prompt file."""

    model_config = ConfigDict(json_schema_extra=_either)

    description: str = Field(description="What the prompt is for, in one sentence.")
    model: str = Field(description="Model name, e.g. gemini-2.5-flash.")
    models: tuple[str, ...] = Field(
        (), description="Models in order: one that is not well is skipped. The first is `model`."
    )
    parameters: dict[str, Json] = Field(
        default_factory=dict,
        description="Generation parameters in snake_case, e.g. temperature, max_output_tokens.",
    )
    system: str | None = Field(None, description="System instruction; a template like the body.")
    retrieve: Retrieval | None = Field(
        None,
        description="What is searched for with the prompt's variables; the template sees the"
        " chunks as `retrieved`.",
    )
    cites: str | None = Field(
        None,
        description="Expression for the ids that the answer's `sources` may name; without it, those"
        " of what the prompt has retrieved. What an agent's calls have found, it may name anyhow.",
        examples=["found.chunks | map(attribute='id') | list"],
    )
    input: dict[str, Json] | None = Field(
        None, description="JSON Schema of the variables that the step's `with` gives."
    )
    output: dict[str, Json] | None = Field(
        None, description="JSON Schema of the answer; without it the output is {text: answer}."
    )
    cache: Cache | None = Field(None, description="Answers are kept for equal requests.")
    context_cache: ContextCache | None = Field(
        None, description="The model keeps `system` and the tools, which all requests begin with."
    )

    @model_validator(mode="before")
    @classmethod
    def _named_once(cls, head: object) -> object:
        """The first of several models need not be named twice."""
        if not isinstance(head, Mapping) or not isinstance(head.get("models"), list | tuple):
            return head
        return {"model": next(iter(head["models"]), None), **head}

    @model_validator(mode="after")
    def _begins_with_its_model(self) -> Self:
        if self.models and (self.models[0] != self.model or len(set(self.models)) < 2):
            raise ValueError("`models` are at least two, and the first of them is `model`")
        return self


class PromptVersion(Wire):
    """One version of a prompt, complete in itself."""

    name: str
    head: FrontMatter
    body: str
    partials: dict[str, str] = Field(default_factory=dict)
    variant: str | None = None  # by what name a rollout chose it

    @cached_property
    def version(self) -> str:
        declared = self.model_dump(mode="json", exclude={"name", "variant"})
        head = {key: value for key, value in declared["head"].items() if value or key not in _LATER}
        return content_hash({**declared, "head": head})

    @cached_property
    def references(self) -> frozenset[str]:
        """Variables that the prompt and its partials read."""
        found = names([self.body, self.head.system or "", *self.partials.values()])
        if self.head.retrieve is not None:
            found = (found - {RETRIEVED}) | self.head.retrieve.reads
        return found | (names(self.head.cites, expression=True) if self.head.cites else frozenset())


def prompts_of(step: Step) -> tuple[str, ...]:
    """The names of the prompts that a step may ask with."""
    if isinstance(step, AgentStep):
        return (step.agent, *(persona.agent for persona in step.hand_offs.values()))
    if not isinstance(step, PromptStep):
        return ()
    other = step.fallback.prompt if step.fallback is not None else None
    return (step.prompt,) if other is None else (step.prompt, other)


def collections_of(step: Step, prompts: Mapping[str, PromptVersion]) -> frozenset[str] | None:
    """The names of the collections that a step searches or fills.

    None where data decides, which may be any.
    """
    asked = (prompts[name].head.retrieve for name in all_prompts_of(step))
    found = {one.collection for one in asked if one is not None}
    if isinstance(step, RetrieveStep):
        found.add(step.retrieve.collection)
    if isinstance(step, AgentStep):
        found |= {tool.collection for tool in step.every_tool if isinstance(tool, SearchTool)}
    for given in filled_by(step):
        if not isinstance(given, str) or "{" in given:
            return None
        found.add(given)
    return frozenset(found)


def filled_by(step: Step) -> Iterator[Json]:
    """The collection that a step fills or embeds for, as it is written; nothing where none."""
    if isinstance(step, EmbedStep):
        yield step.embed.collection
    what = step.action if isinstance(step, ActionStep) else None
    what = step.call if isinstance(step, CallStep) else what
    if what in FILLING:
        yield step.arguments.get("collection")


def all_prompts_of(step: Step) -> tuple[str, ...]:
    """The same, and the one that undoes it."""
    undoing = step.compensate.prompt if step.compensate is not None else None
    return prompts_of(step) if undoing is None else (*prompts_of(step), undoing)


def tools_of(step: Step) -> tuple[str, ...]:
    """The names of the registered tools that a step's model may ask for."""
    tools = step.every_tool if isinstance(step, AgentStep) else ()
    return tuple(tool.tool for tool in tools if isinstance(tool, AgentTool))


class UndoneItems(Wire):
    """The items of a mapped step that are undone."""

    step: str
    indexes: tuple[int, ...]


class Undoing(Wire):
    """What a version that undoes a run knows of that run.

    recalls: steps whose outputs it reads, each with the step that its output is of. items: by its
    own steps, which items they undo.
    """

    recalls: dict[str, str] = Field(default_factory=dict)
    items: dict[str, UndoneItems] = Field(default_factory=dict)


class ShadowPrompt(Wire):
    """Answers beside a prompt, for a rollout; nothing acts on it."""

    rollout: str
    prompt: PromptVersion


class FlowVersion(Wire):
    """One version of a flow, complete in itself. With `undoing` it undoes one run of another.

    `collections` are those that its steps and prompts search or fill, `inputs` what the flows take
    that its agents have as tools: their models are told that.
    """

    flow: Flow
    prompts: dict[str, PromptVersion] = Field(default_factory=dict)
    tools: dict[str, ToolVersion] = Field(default_factory=dict)
    undoing: Undoing | None = None
    shadows: dict[str, ShadowPrompt] = Field(default_factory=dict)  # by the prompt they shadow
    collections: dict[str, Collection] = Field(default_factory=dict)
    inputs: dict[str, dict[str, Json]] = Field(default_factory=dict)  # by flow

    @cached_property
    def version(self) -> str:
        return content_hash(self.declaration())

    def declaration(self) -> dict[str, Any]:
        """What is hashed and stored; `FlowVersion.model_validate` reads it back."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def collection(self, name: str) -> Collection:
        """One of its collections. Raises CollectionUnknownError."""
        if name not in self.collections:
            known = ", ".join(sorted(self.collections)) or "none"
            raise CollectionUnknownError(f"the flow knows no collection {name!r}; it knows {known}")
        return self.collections[name]

    def prompt(self, instance: str) -> PromptVersion:
        """The prompt of a prompt step, of an item of one, or of an agent."""
        declared = self.flow.declared(instance)
        if isinstance(declared, AgentStep):
            return self.prompts[declared.agent]
        assert isinstance(declared, PromptStep)
        return self.prompts[declared.prompt]

    def wanted(self, step: str) -> frozenset[str]:
        """Variables that `step`, a later step or the outputs refer to: what must travel."""
        if step in self._wanted:
            return self._wanted[step]
        found = names(list(self.flow.outputs.values()))
        for name in self.flow.later(step):
            found |= self.flow.references(name)
            hidden = LOOP if self.flow.steps[name].foreach else frozenset()
            found |= self._read_by_prompts(name) - hidden
        self._wanted[step] = found
        return found

    def wanted_by_items(self, step: str) -> frozenset[str]:
        """Variables that an item of a mapped step refers to itself: nothing follows from it."""
        return self.flow.steps[step].texts_read | self._read_by_prompts(step)

    def wanted_by_part(self, instance: Instance) -> frozenset[str]:
        """Variables that an agent's turn or call refers to; what follows from it is not its own."""
        declared = self.flow.steps[instance.step]
        assert instance.part is not None
        assert isinstance(declared, AgentStep)
        cites = self.prompts[declared.agent].head.cites is not None
        searches = any(isinstance(tool, SearchTool) for tool in declared.every_tool)
        if instance.part == FIRST or cites or searches:
            return self.wanted_by_items(instance.step)
        return reads_of(declared.every_tool)

    def _read_by_prompts(self, step: str) -> frozenset[str]:
        """Variables that the step's prompt reads, and the one that may take its place."""
        names_of_prompts = prompts_of(self.flow.steps[step])
        return frozenset().union(*(self.prompts[name].references for name in names_of_prompts))

    def undone_by(self, step: str) -> UndoneItems | None:
        """The items that a mapped step undoes; None where that is not what it is for."""
        return self.undoing.items.get(step) if self.undoing is not None else None

    @cached_property
    def _wanted(self) -> dict[str, frozenset[str]]:
        return {}

    def wanted_steps(self, step: str) -> frozenset[str]:
        """Finished steps whose outputs `step` (or END) can see and something from there on uses."""
        recalled = self.undoing.recalls.keys() if self.undoing is not None else frozenset()
        return self.wanted(step) & (self.flow.ancestors(step) | recalled)
