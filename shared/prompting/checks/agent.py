"""Whether an agent makes sense before it ever runs: its tools, and who approves what.

Its prompt is checked like any other, elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from shared.domain.agents.declared import ARGS, AgentTool, AnyTool, FlowTool, SearchTool, When
from shared.domain.agents.hand_offs import PREFIX
from shared.domain.agents.tool import ToolVersion
from shared.domain.expressions import GLOBALS, attributes, names
from shared.domain.step import AgentStep
from shared.errors import ExpressionError
from shared.prompting.checks.graph import did_you_mean
from shared.prompting.checks.retrieval import Collections, retrieval_problems
from shared.prompting.source import Location, Problem, Source

# The tools that there are, and the collections where they are known.
Known = tuple[Mapping[str, ToolVersion], Collections]


def agent_problems(
    source: Source,
    name: str,
    step: AgentStep,
    before: frozenset[str],
    known: Known,
) -> Iterator[Problem]:
    """`before` are the variables that the step sees."""
    at: Location = ("steps", name)
    if step.foreach is not None:
        told = f"step {name!r} is an agent, which no `foreach` takes; put it into a flow of its own"
        yield source.problem((*at, "foreach"), f"{told}, and open that for each item")
    yield from _tools(source, at, (name, f"step {name!r}", step.tools), before, known)
    for called, persona in step.hand_offs.items():
        where: Location = (*at, "hand_offs", called)
        owner = f"{called!r} of step {name!r}"
        yield from _tools(source, where, (name, owner, persona.tools), before, known)
        yield from _persona(source, where, name, step, called)


def _tools(
    source: Source,
    at: Location,
    of: tuple[str, str, tuple[AnyTool, ...]],
    before: frozenset[str],
    known: Known,
) -> Iterator[Problem]:
    """`of`: the step, who has the tools in words, and the tools."""
    name, owner, had = of
    tools, collections = known
    twice = [tool for tool, n in Counter(one.name for one in had).items() if n > 1]
    for index, tool in enumerate(had):
        where: Location = (*at, "tools", index)
        if tool.name in twice:
            yield source.problem(where, f"{owner} has the tool {tool.name!r} twice")
        if isinstance(tool, SearchTool):
            yield from retrieval_problems(source, where, tool, collections)
            continue
        found = tools.get(tool.tool) if isinstance(tool, AgentTool) else None
        if isinstance(tool, AgentTool) and found is None:
            yield source.problem(where, _missing(tool.tool, tools))
        told = (*_approval(tool, name, before), *_arguments(tool, found))
        yield from (source.problem(where, message) for message in told)


def _persona(
    source: Source, at: Location, name: str, step: AgentStep, called: str
) -> Iterator[Problem]:
    """What is wrong with its name, and with whom it may hand over to."""
    everybody = {name, *step.hand_offs}
    if called == name:
        told = f"{called!r} is how personas call the step's own prompt; give it another name"
        yield source.problem(at, told)
    if any(tool.name == PREFIX + called for tool in step.every_tool):
        told = f"a tool is called {PREFIX + called}, as the hand-off to {called!r} is; rename it"
        yield source.problem(at, told)
    for index, other in enumerate(step.hand_offs[called].to or ()):
        if other not in everybody or other == called:
            there = ", ".join(sorted(everybody - {called}))
            told = f"{called!r} cannot hand over to {other!r}; there are {there}"
            yield source.problem((*at, "to", index), told + did_you_mean(other, everybody))


def _missing(tool: str, tools: Mapping[str, ToolVersion]) -> str:
    told = f"there is no tool {tool!r}; register it in functions/act/tools and run"
    return f"{told} `segue tools compile`{did_you_mean(tool, tools)}"


def _approval(tool: AgentTool | FlowTool, name: str, before: frozenset[str]) -> Iterator[str]:
    if tool.approvers and tool.approval is None:
        yield f"{tool.name!r} has `approvers` and nothing to approve; give it an `approval`"
    if not isinstance(tool.approval, When):
        return
    try:
        read = names(tool.approval.when, expression=True)
    except ExpressionError as error:
        yield error.detail
        return
    for unknown in sorted(read - before - GLOBALS - {ARGS, "event", "run"}):
        yield (
            f"{unknown!r} is undefined in the approval of {tool.name!r}; it sees `args` and what"
            f" step {name!r} sees"
        )


def _arguments(tool: AgentTool | FlowTool, found: ToolVersion | None) -> Iterator[str]:
    """Arguments that the approval looks at, and the tool does not take."""
    if found is None or not isinstance(tool.approval, When):
        return
    taken = found.parameters.get("properties")
    if not isinstance(taken, dict) or found.parameters.get("additionalProperties", True):
        return
    try:
        read = attributes(tool.approval.when, expression=True)
    except ExpressionError:
        return  # told already
    for wrong in sorted({name for of, name in read if of == ARGS} - taken.keys()):
        told = (
            f"the approval of {tool.name!r} looks at `args.{wrong}`, which the tool does not take"
        )
        yield told + did_you_mean(wrong, taken)
