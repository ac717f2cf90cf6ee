"""Whether what steps and prompts say of collections fits what the collections declare.

Where the declared collections are not known, nothing is wrong with a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.domain.agents.declared import AnyTool, SearchTool
from shared.domain.retrieval.collection import Collection
from shared.domain.retrieval.searches import Search
from shared.domain.step import AgentStep, EmbedStep, RetrieveStep, Step
from shared.domain.version import filled_by
from shared.prompting.checks.graph import did_you_mean
from shared.prompting.source import Location, Problem, Source

Collections = Mapping[str, Collection] | None
OUTPUTS = {
    "retrieve": frozenset({"chunks", "query", "tokens"}),
    "embed": frozenset({"texts"}),
}


def retrieval_problems(
    source: Source, at: Location, asked: Search, collections: Collections
) -> Iterator[Problem]:
    """What is wrong with a `retrieve` of a step or a prompt, or with a search of an agent's."""
    if collections is None:
        return
    declared = collections.get(asked.collection)
    if declared is None:
        yield source.problem((*at, "collection"), _unknown(asked.collection, collections))
        return
    for field in asked.where:
        if field not in declared.metadata:
            known = ", ".join(declared.metadata) or "none"
            message = f"collection {asked.collection!r} has no metadata {field!r}; it has {known}"
            yield source.problem((*at, "where", field), message)


def collection_problems(
    source: Source, name: str, step: Step, collections: Collections
) -> Iterator[Problem]:
    """What is wrong with the collections that a step names."""
    if isinstance(step, RetrieveStep):
        yield from retrieval_problems(
            source, ("steps", name, "retrieve"), step.retrieve, collections
        )
    inside = ("embed",) if isinstance(step, EmbedStep) else ("with",)
    for given in filled_by(step):
        is_literal = isinstance(given, str) and "{" not in given
        if collections is not None and is_literal and given not in collections:
            at = ("steps", name, *inside, "collection")
            yield source.problem(at, _unknown(str(given), collections))


def tools_at(step: AgentStep) -> Iterator[tuple[Location, AnyTool]]:
    """(where in the step, tool) of an agent's tools, and of its personas'."""
    personas = ((("hand_offs", name), one.tools) for name, one in step.hand_offs.items())
    for at, tools in (((), step.tools), *personas):
        for index, tool in enumerate(tools):
            yield (*at, "tools", index), tool


def texts_of(step: Step) -> Iterator[tuple[Location, object]]:
    """(where, template or templates) of what a step searches for or has embedded."""
    if isinstance(step, RetrieveStep):
        yield ("retrieve", "query"), step.retrieve.query
        yield ("retrieve", "where"), step.retrieve.where
    elif isinstance(step, AgentStep):
        for at, tool in tools_at(step):
            if isinstance(tool, SearchTool):
                yield (*at, "where"), tool.where
    elif isinstance(step, EmbedStep):
        yield ("embed", "collection"), step.embed.collection
        yield ("embed", "texts"), step.embed.texts


def _unknown(name: str, collections: Mapping[str, Collection]) -> str:
    hint = did_you_mean(name, collections)
    return f"there is no collection {name!r}; declare it in collections/{name}.yaml{hint}"
