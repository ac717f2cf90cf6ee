"""Searches a collection because an agent asks for it, as a call of a tool.

Decides what is told to the model: only what it can put right. The rest fails as a step's search.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.delivery.deps import Deps
from shared.delivery.retrieval.permits import permitted
from shared.delivery.retrieval.searching import search
from shared.delivery.steps import StepTask
from shared.domain.agents.conversation import ToolCall
from shared.domain.agents.declared import LONGEST_QUERY, SearchTool
from shared.domain.agents.notes import CallMade, told
from shared.domain.envelope import ActTask
from shared.domain.expressions import fill
from shared.domain.model import Json
from shared.domain.step import AgentStep, Step
from shared.errors import (
    MessageInvalidError,
    ToolArgumentsError,
    ToolError,
    ToolRepeatedError,
)


async def search_for(task: StepTask, deps: Deps) -> Json:
    """{chunks, query, tokens}, or `{error: {code, message}}`: either is for the model.

    What a step's search raises, a call of this raises too; a collection that the run is not pinned
    to is such a case.
    """
    step = task.scope.version.flow.declared(task.envelope.step)
    call, tool = _asked(task, step)
    task.spent.note = CallMade(call=call)
    try:
        if isinstance(task.envelope.task, ActTask) and task.envelope.task.is_repeated:
            raise ToolRepeatedError(
                f"{told(call)} was asked for before, again and again, and finds nothing new"
            )
        query = _query(tool, call.args)
    except ToolError as error:
        return {"error": {"code": error.code, "message": error.detail}}
    collection = task.scope.version.collection(tool.collection)
    seen = {**task.variables, **fill(step.arguments, task.variables)}
    about = (tool, query), collection, seen
    permitted(task, deps)
    return await search(deps, task.spent, *about, seconds=task.seconds)


def _asked(task: StepTask, step: Step) -> tuple[ToolCall, SearchTool]:
    todo = task.envelope.task
    if isinstance(todo, ActTask) and todo.call is not None and isinstance(step, AgentStep):
        tool = step.as_spoken(todo.speaker).search(todo.call.name)
        if tool is not None:
            return todo.call, tool
    raise MessageInvalidError(f"step {task.envelope.step!r}: this is no search of an agent's")


def _query(tool: SearchTool, args: Mapping[str, Json]) -> str:
    """Raises ToolArgumentsError."""
    query = args.get("query")
    if set(args) != {"query"} or not isinstance(query, str) or not query.strip():
        raise ToolArgumentsError(f"{tool.name} takes `query`, a text to search for, and no more")
    if len(query) > LONGEST_QUERY:
        problem = f"`query` has {len(query):,} characters; the limit is {LONGEST_QUERY:,}"
        raise ToolArgumentsError(f"{tool.name}: {problem}")
    return query
