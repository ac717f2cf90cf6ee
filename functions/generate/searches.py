"""What this stage does with collections: searches them, for a step or for a prompt, and embeds.

It is done here, under the step's claim, because it is billed and needs the model's client.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.models.asking import request_for
from shared.delivery.retrieval.embedding import keep_vectors
from shared.delivery.retrieval.permits import permitted
from shared.delivery.retrieval.searching import retrieve
from shared.delivery.scope import variables_at
from shared.delivery.steps import StepTask
from shared.domain.agents.declared import SearchTool
from shared.domain.envelope import ModelRequest
from shared.domain.expressions import evaluate, fill
from shared.domain.instances import instance_of
from shared.domain.model import Json
from shared.domain.retrieval.searches import RETRIEVED, Embedding, Retrieval
from shared.domain.step import AgentStep, EmbedStep, RetrieveStep, Step
from shared.domain.version import PromptVersion
from shared.errors import ExpressionError, MessageInvalidError


async def look_up(task: StepTask, deps: Deps) -> Json:
    """The output of a step that searches or embeds, and asks no model for words."""
    step = task.scope.version.flow.declared(task.envelope.step)
    seen = {**task.variables, **fill(step.arguments, task.variables)}
    match step:
        case RetrieveStep():
            return await _search(task, step.retrieve, seen, deps)
        case EmbedStep():
            return await _embed(task, step.embed, seen, deps)
        case _:
            raise MessageInvalidError(f"step {task.envelope.step!r} is a {step.kind}, no search")


async def introduced(task: StepTask, declared: AgentStep, speaker: str, deps: Deps) -> ModelRequest:
    """The request of a persona that goes on with an agent's conversation, as it begins to.

    Its turn brought no variables along: they are read. Raises as `rendered`.
    """
    step = instance_of(task.envelope.step).step
    known = await variables_at(deps.store, task.scope, step, task.variables)
    prompt = task.scope.version.prompts[declared.as_spoken(speaker).agent]
    return await rendered(replace(task, variables=known), prompt, deps, speaker)


async def rendered(
    task: StepTask, prompt: PromptVersion, deps: Deps, speaker: str | None = None
) -> ModelRequest:
    """The request of a prompt, with what it has retrieved. Raises what both of them raise."""
    variables = task.variables
    if prompt.head.retrieve is not None:
        step = task.scope.version.flow.declared(task.envelope.step)
        seen = {**variables, **fill(step.arguments, variables)}
        found = await _search(task, prompt.head.retrieve, seen, deps)
        variables = {**variables, RETRIEVED: found["chunks"]}
        if task.scope.version.shadows and task.fallback is None and speaker is None:
            # Loaded where a run has a shadow.
            from shared.delivery.rollouts.shadowing import cast_informed  # noqa: PLC0415

            await cast_informed(task.scope, task.envelope, prompt, variables, deps)
    return request_for(task.scope, task.envelope, prompt, variables, speaker)


def citable(task: StepTask, before: frozenset[str] = frozenset()) -> frozenset[str] | None:
    """The ids that an answer may name as its sources; None where nothing says which.

    `before` are those that earlier turns of an agent have retrieved. Raises ExpressionError.
    """
    version, other = task.scope.version, task.fallback
    prompt = (
        version.prompts[other.prompt]
        if other and other.prompt
        else version.prompt(task.envelope.step)
    )
    step = version.flow.declared(task.envelope.step)
    if prompt.head.cites is None:
        own = task.spent.sources
        is_known = own is not None or before or _may_search(step)
        return before.union(own or ()) if is_known else None
    seen = {**task.variables, **fill(step.arguments, task.variables)}
    found = evaluate(prompt.head.cites, seen)
    if not isinstance(found, list):
        raise ExpressionError("`cites` gives no list of ids")
    return before.union(map(str, found))


def _may_search(step: Step) -> bool:
    tools = step.every_tool if isinstance(step, AgentStep) else ()
    return any(isinstance(tool, SearchTool) for tool in tools)


async def _search(
    task: StepTask, asked: Retrieval, seen: dict[str, Any], deps: Deps
) -> dict[str, Json]:
    collection = task.scope.version.collection(asked.collection)
    permitted(task, deps)
    return await retrieve(deps, task.spent, asked, collection, seen, seconds=task.seconds)


async def _embed(task: StepTask, asked: Embedding, seen: dict[str, Any], deps: Deps) -> Json:
    collection = task.scope.version.collection(str(fill(asked.collection, seen)))
    texts = fill(asked.texts, seen)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ExpressionError("`embed.texts` gives no list of texts")
    permitted(task, deps)
    return await keep_vectors(deps, task.spent, collection, texts, seconds=task.seconds)
