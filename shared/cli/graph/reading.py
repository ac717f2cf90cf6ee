"""Reads a flow version as nodes and links: the one place here that knows what a flow can say.

A key that has no telling of its own below is told as it is written, so a new one is seen at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from shared.cli.graph.model import END, START, Graph, Link, Node, Note, Way
from shared.domain.agents.declared import AnyTool, FlowTool, Persona, SearchTool
from shared.domain.compensation import Compensation
from shared.domain.flow import BatchTrigger, CallTrigger, Flow, ScheduleTrigger
from shared.domain.step import EmbedStep, RetrieveStep, Step, WaitStep
from shared.domain.version import FlowVersion

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))
_WAYS = {"success": Way.NEXT, "error": Way.ERROR}
_DRAWN = frozenset({"needs", "join", "arguments", "description"})  # as links, or not worth a line
_OF_THE_FLOW = frozenset({"flow", "description", "on", "input", "steps", "outputs"})


def graph_of(version: FlowVersion) -> Graph:
    """The flow's own graph, without a run."""
    flow = version.flow
    steps = (_step(flow, name) for name in flow.steps)
    nodes = (_trigger(flow), *steps, _end(flow))
    return Graph(flow.flow, version.version, flow.description, nodes, tuple(_links(flow)))


def _trigger(flow: Flow) -> Node:
    on = flow.on
    kind = on.kind
    if isinstance(on, ScheduleTrigger):
        title = f"{on.schedule.cron}, {on.schedule.time_zone}"
    elif isinstance(on, BatchTrigger):
        title = on.batch.event
    elif isinstance(on, CallTrigger):
        kind, title = "name", flow.flow
    else:
        title = _plainly(getattr(on, kind))
    batch = [Note(kind, _control(on.batch, {"event"}))] if isinstance(on, BatchTrigger) else []
    notes = (*batch, *_notes(on, {kind}), *_notes(flow, _OF_THE_FLOW))
    return Node(START, kind, title, notes=notes)


def _step(flow: Flow, name: str) -> Node:
    step = flow.steps[name]
    if isinstance(step, WaitStep):
        waits = _notes(step.wait, {"awaits"})
        notes = (*_join(flow, name), *waits, *_notes(step, _DRAWN | {step.kind}))
        return Node(name, step.kind, name, f"for {step.wait.awaits}", notes)
    if isinstance(step, RetrieveStep | EmbedStep):
        asked = step.retrieve if isinstance(step, RetrieveStep) else step.embed
        wants = _notes(asked, {"collection"})
        notes = (*_join(flow, name), *wants, *_notes(step, _DRAWN | {step.kind}))
        return Node(name, step.kind, name, f"in {asked.collection}", notes)
    uses = _plainly(getattr(step, step.kind))
    notes = (*_join(flow, name), *_notes(step, _DRAWN | {step.kind}))
    return Node(name, step.kind, name, uses, notes)


def _end(flow: Flow) -> Node:
    notes = tuple(Note(name, _plainly(value)) for name, value in flow.outputs.items())
    return Node(END, "end", "outputs" if notes else "end", notes=notes)


def _links(flow: Flow) -> Iterator[Link]:
    """The flow's edges, between its trigger and its end."""
    yield from (Link(START, root) for root in flow.roots)
    yield from (Link(edge.source, edge.target, _WAYS[edge.on]) for edge in flow.edges)
    for name, step in flow.steps.items():
        if all(edge.on != "success" for edge in flow.outgoing[name]):
            yield Link(name, END)
        elif step.finish:
            yield Link(name, END, Way.FINISH)


def _join(flow: Flow, name: str) -> Iterator[Note]:
    if flow.is_join(name):
        quorum = flow.quorum(name)
        yield Note("join", f"{'all' if quorum is None else quorum} of {flow.width(name)}")


def _notes(declared: Step | Any, but: frozenset[str] | set[str]) -> Iterator[Note]:
    """What is declared otherwise than by default, in the order of the declaration's own fields."""
    for name, field in type(declared).model_fields.items():
        value = getattr(declared, name)
        if name in but or value == field.get_default(call_default_factory=True):
            continue
        text = _TOLD.get(name, _plainly)(value)
        if text is not None:
            yield Note(name.replace("_", " "), text)


def _plainly(value: Any) -> str:
    """A declared value in one line."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plainly(part)}" for key, part in value.items())
    if value is True:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _seconds(value: float) -> str:
    """As people write durations."""
    fitting = [(size, unit) for size, unit in _UNITS if value % size == 0]
    size, unit = fitting[0] if fitting else (1, "s")
    return f"{value / size:g}{unit}"


def _on_error(value: Any) -> str | None:
    return value if isinstance(value, str) else None  # where it goes to is a link


def _control(value: Any, but: frozenset[str] | set[str] = frozenset()) -> str:
    """Limits of a flow, with their times as people write them."""
    times = {"per", "for", "at_most", "wait"}
    fields = value.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return ", ".join(
        f"{name} {_seconds(part) if name in times else _plainly(part)}"
        for name, part in fields.items()
        if name not in but
    )


def _compensation(value: Compensation) -> str:
    kinds = ("prompt", "action", "call")
    return next(f"{kind} {name}" for kind in kinds if (name := getattr(value, kind)))


def _tools(value: Iterable[AnyTool]) -> str:
    """Their names, what they search or open, and which calls of them a person has to approve."""
    return ", ".join(f"{tool.name}{_about(tool)}" for tool in value)


def _personas(value: Mapping[str, Persona]) -> str:
    """Their names, and the tools that they have."""
    told = ((name, _tools(persona.tools)) for name, persona in value.items())
    return ", ".join(f"{name} ({tools})" if tools else name for name, tools in told)


def _about(tool: AnyTool) -> str:
    if isinstance(tool, SearchTool):
        return f" (searches {tool.collection})"
    told = [f"flow {tool.flow}"] if isinstance(tool, FlowTool) else []
    if tool.approval is not None:
        when = "always" if isinstance(tool.approval, str) else f"when {tool.approval.when}"
        told.append(f"approval {when}")
    return f" ({', '.join(told)})" if told else ""


_TOLD: dict[str, Callable[[Any], str | None]] = {
    "timeout": _seconds,
    "on_error": _on_error,
    "rate": _control,
    "debounce": _control,
    "on_timeout": _on_error,
    "compensate": _compensation,
    "tools": _tools,
    "hand_offs": _personas,
}
