"""Whether the flows that others name are there: as children, and as `on_failure`.

Children, of steps and of agents' calls, must take what they get, and come to an end.

Looks at all flows of a library together. A flow with a child that cannot be used cannot be used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.domain.agents.declared import FlowTool
from shared.domain.flow import Flow
from shared.domain.step import AgentStep, FlowStep
from shared.prompting.checks.graph import did_you_mean
from shared.prompting.checks.retrieval import tools_at
from shared.prompting.source import Location, Problem, Source


@dataclass(frozen=True)
class Read:
    """A flow that is sound by itself, and where it was read."""

    source: Source
    flow: Flow

    def children(self) -> Iterator[Opens]:
        for name, step in self.flow.steps.items():
            if isinstance(step, FlowStep):
                told = f"step {name!r} opens a child"
                yield Opens(step.flow, ("steps", name, "flow"), told, (name, step))
            elif isinstance(step, AgentStep):
                for at, tool in tools_at(step):
                    if isinstance(tool, FlowTool):
                        where = ("steps", name, *at)
                        yield Opens(tool.flow, where, f"tool {tool.name!r} opens a run")


@dataclass(frozen=True)
class Opens:
    """Where a flow says that it opens another, and in words. `by` is the step, where one does."""

    flow: str
    at: Location
    told: str
    by: tuple[str, FlowStep] | None = None


def children_problems(known: Mapping[str, Read], declared: frozenset[str]) -> list[Problem]:
    """All that is wrong between flows; `declared` are the names of those with mistakes, too."""
    problems: list[Problem] = []
    sound, before = dict(known), -1
    while len(sound) != before:  # each that is left out may be another one's child
        before = len(sound)
        for name, read in list(sound.items()):
            found = list(_problems(read, sound, declared))
            if found:
                problems.extend(found)
                del sound[name]
    return problems


def child_complaints(name: str, step: FlowStep) -> Iterator[tuple[str, str]]:
    """By key: what does not go with a step that opens a child."""
    if step.retry is not None:
        told = f"step {name!r} opens a child, which is not opened again; give the child's own steps"
        yield "retry", f"{told} a `retry`, and this one an `on_error` or a `fallback`"
    if step.awaited:
        return
    told = f"step {name!r} does not wait for its child"
    for key, value in (("timeout", step.timeout), ("foreach", step.foreach)):
        if value is not None:
            yield key, f"{told}, which {key!r} needs; remove `await` or {key!r}"


def _why_not(flow: str, declared: frozenset[str]) -> str:
    if flow in declared:
        return f"flow {flow!r} has mistakes of its own; correct them first"
    return f"there is no flow {flow!r}{did_you_mean(flow, declared)}"


def _problems(read: Read, sound: Mapping[str, Read], declared: frozenset[str]) -> Iterator[Problem]:
    hook = read.flow.on_failure
    if hook is not None and hook not in sound:
        why = _why_not(hook, declared)
        yield read.source.problem(("on_failure",), f"a failure starts another flow, and {why}")
    for opens in read.children():
        child = sound.get(opens.flow)
        if child is None:
            why = _why_not(opens.flow, declared)
            yield read.source.problem(opens.at, f"{opens.told}, and {why}")
            continue
        cycle = _way_back(read.flow.flow, child, sound)
        if cycle:
            told = " → ".join((read.flow.flow, *cycle))
            yield read.source.problem(
                opens.at,
                f"flows open each other without end: {told}; let one of them not open the next",
            )
        if opens.by is not None:
            name, step = opens.by
            for message in _misfits(name, step, child.flow):
                yield read.source.problem(("steps", name, "with"), message)
        elif not cycle:
            yield from (read.source.problem(opens.at, told) for told in _no_tool(child.flow))


def _no_tool(child: Flow) -> Iterator[str]:
    """What its `input` lacks for a model to be told what to call it with."""
    told = f"flow {child.flow!r} cannot be a tool"
    if child.input is None:
        yield f"{told}: it has no `input`, which is what models are told; give it one"
    elif child.input.get("type") != "object":
        yield f"{told}: its `input` is not of `type: object`, as arguments of a call always are"


def _way_back(to: str, child: Read, known: Mapping[str, Read]) -> tuple[str, ...]:
    """The flows that lead from a child back to one, both named; empty where none do."""
    todo: list[tuple[str, ...]] = [(child.flow.flow,)]
    seen: set[str] = set()
    while todo:
        way = todo.pop(0)
        if way[-1] == to:
            return way
        if way[-1] not in seen and way[-1] in known:
            seen.add(way[-1])
            todo += [(*way, one.flow) for one in known[way[-1]].children()]
    return ()


def _misfits(name: str, step: FlowStep, child: Flow) -> Iterator[str]:
    """What the child's `input` says against the keys of `with`, as far as that can be told."""
    schema = child.input
    if schema is None:
        return
    required, known = schema.get("required"), schema.get("properties")
    for key in required if isinstance(required, list) else ():
        if key not in step.arguments:
            yield f"flow {child.flow!r} needs {key!r}; step {name!r} has to give it in `with`"
    if schema.get("additionalProperties") is False and isinstance(known, dict):
        for key in step.arguments:
            if key not in known:
                yield f"flow {child.flow!r} takes no {key!r}; it takes {', '.join(known)}"
    if schema.get("type", "object") != "object":
        yield f"flow {child.flow!r} takes no object, and `with` always gives one"
