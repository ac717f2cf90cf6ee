"""Whether an agent makes sense before it ever runs: its tools, and who approves what.

Its prompt is checked like any other, elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from shared.domain.agents import ARGS, AgentTool, When
from shared.domain.expressions import GLOBALS, names
from shared.domain.step import AgentStep
from shared.domain.tool import ToolVersion
from shared.errors import ExpressionError
from shared.prompting.check_graph import did_you_mean
from shared.prompting.source import Location, Problem, Source


def agent_problems(
    source: Source,
    name: str,
    step: AgentStep,
    before: frozenset[str],
    tools: Mapping[str, ToolVersion],
) -> Iterator[Problem]:
    """`before` are the variables that the step sees, `tools` those that there are."""
    at: Location = ("steps", name)
    if step.foreach is not None:
        told = f"step {name!r} is an agent, which no `foreach` takes; put it into a flow of its own"
        yield source.problem((*at, "foreach"), f"{told}, and open that for each item")
    twice = [tool for tool, n in Counter(one.tool for one in step.tools).items() if n > 1]
    for index, tool in enumerate(step.tools):
        where: Location = (*at, "tools", index)
        if tool.tool in twice:
            yield source.problem(where, f"step {name!r} has the tool {tool.tool!r} twice")
        if tool.tool not in tools:
            yield source.problem(where, _missing(tool.tool, tools))
        yield from (source.problem(where, message) for message in _approval(tool, name, before))


def _missing(tool: str, tools: Mapping[str, ToolVersion]) -> str:
    told = f"there is no tool {tool!r}; register it in functions/act/tools and run"
    return f"{told} `segue tools compile`{did_you_mean(tool, tools)}"


def _approval(tool: AgentTool, name: str, before: frozenset[str]) -> Iterator[str]:
    if tool.approvers and tool.approval is None:
        yield f"{tool.tool!r} has `approvers` and nothing to approve; give it an `approval`"
    if not isinstance(tool.approval, When):
        return
    try:
        read = names(tool.approval.when, expression=True)
    except ExpressionError as error:
        yield error.detail
        return
    for unknown in sorted(read - before - GLOBALS - {ARGS, "event", "run"}):
        yield (
            f"{unknown!r} is undefined in the approval of {tool.tool!r}; it sees `args` and what"
            f" step {name!r} sees"
        )
