"""A typed flow as the flow file that says the same: the class is the source, the graph is derived.

Pure: the same class gives the same text. Decides nothing about where that is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from shared.domain.model import Json
from shared.domain.retry import Retry
from shared.domain.step import Fallback
from shared.typed.events import EVENT, Event, fields_of, written
from shared.typed.expressions import Wiring, default_of, filled
from shared.typed.graph import Graph
from shared.typed.shapes import FlowShape, StepShape, Taken

Data = dict[str, Any]
_WIDTH = 100
_PLAIN = {"default", "const", "enum", "examples"}  # keys of a schema that hold values


def declaration(shape: FlowShape) -> Data:
    """The flow as its file says it."""
    graph = Graph(shape)
    wiring = Wiring(graph)
    flow: Data = {"flow": shape.name}
    if shape.description:
        flow["description"] = shape.description
    flow["on"] = {"event": shape.on, **_if_given("where", shape.where)}
    flow["input"] = _input(shape.start)
    flow |= _if_given("timeout", _duration(shape.timeout))
    flow["steps"] = {name: _step(step, graph, wiring) for name, step in shape.steps.items()}
    flow["outputs"] = _outputs(shape, wiring)
    return flow


def _input(start: type[Event]) -> Data:
    schema: Data = _untitled(start.model_json_schema())
    return schema


def _untitled(schema: Any) -> Any:
    """Without the titles that pydantic makes of names."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: value if key in _PLAIN else _untitled(value)
        for key, value in schema.items()
        if key != "title" or not isinstance(value, str)
    }


def _step(step: StepShape, graph: Graph, wiring: Wiring) -> Data:
    needs = graph.needs(step)
    found: Data = {}
    if needs:
        found["needs"] = needs[0] if len(needs) == 1 else list(needs)
    found |= _if_given("when", wiring.condition(step))
    if graph.is_mapped(step):
        found["foreach"] = _foreach(step, wiring.items(graph.lists(step)[0]))
    if step.is_prompt:
        found["prompt"] = step.options.prompt
        given = step.options.arguments
        arguments = _asked(step, wiring) if given is None else dict(given)
    else:
        found["call"] = call_name(graph.shape.name, step.name)
        arguments = {taken.name: filled(wiring.value(taken)) for taken in step.takes}
    found |= {"with": arguments} if arguments else {}
    return {**found, **_options(step)}


def call_name(flow: str, step: str) -> str:
    """What the method of a step is registered as."""
    return f"{flow}.{step}"


def _foreach(step: StepShape, source: str) -> Any:
    limits = {
        **_if_given("max_parallel", step.options.max_parallel),
        **_if_given("tolerate", step.options.tolerate),
    }
    return {"in": source, **limits} if limits else source


def _asked(step: StepShape, wiring: Wiring) -> Data:
    """What a prompt gets: the fields of its events, and lists by their names."""
    arguments: Data = {}
    for taken in step.takes:
        value = wiring.value(taken)
        if taken.many:
            arguments[taken.name] = filled(value)
            continue
        whole = value if value.replace(".", "").isidentifier() else f"({value})"
        for name in dict.fromkeys(name for kind in taken.kinds for name in kind.model_fields):
            arguments[name] = filled(f"{whole}.{name}{_otherwise(taken, name)}")
    return arguments


def _otherwise(taken: Taken, name: str) -> str:
    """What stands for a field that an event need not have."""
    fields = [kind.model_fields.get(name) for kind in taken.kinds]
    if all(field is not None and field.is_required() for field in fields):
        return ""
    known = next(field for field in fields if field is not None)
    return f" | default({default_of(known)})"


def _options(step: StepShape) -> Data:
    given = step.options
    return {
        **_if_given("timeout", _duration(given.timeout)),
        **_if_given("retry", _retry(given.retry)),
        **_if_given("fallback", _fallback(step, given.fallback)),
        **({"on_error": given.on_error} if given.on_error != "fail" else {}),
        **({"finish": True} if given.finish else {}),
    }


def _retry(given: Retry | int | None) -> Data | None:
    if given is None:
        return None
    if isinstance(given, int):
        return {"attempts": given}
    found: Data = {"attempts": given.attempts}
    backoff = given.backoff
    changed: Data = backoff.model_dump(exclude_defaults=True)
    for name in ("initial", "max"):
        if name in changed:
            changed[name] = _duration(changed[name])
    return {**found, **_if_given("backoff", changed or None), **_if_given("on", list(given.on))}


def _fallback(step: StepShape, given: Event | Fallback | None) -> Data | None:
    if given is None:
        return None
    if isinstance(given, Fallback):
        return given.model_dump(exclude_unset=True)
    return {"value": fields_of(given) if step.is_prompt else written(given)}


def _outputs(shape: FlowShape, wiring: Wiring) -> Data:
    for step in shape.steps.values():
        if step.options.outputs is not None:
            return dict(step.options.outputs)
    fields = list(dict.fromkeys(name for kind in shape.stops for name in kind.model_fields))
    named = [EVENT, *fields] if len(shape.stops) > 1 else fields
    return {name: filled(wiring.output(name)) for name in named}


def _duration(given: str | float | None) -> str | None:
    return f"{given:g}s" if isinstance(given, int | float) else given


def _if_given(key: str, value: Json | Data) -> Data:
    return {} if value is None or value == [] else {key: value}


class _Dumper(yaml.SafeDumper):
    """Writes `on` as a word, which it is in YAML 1.2, and lists within mappings indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 - its parent's
        super().increase_indent(flow, False)


_Dumper.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if first not in "oO" or "bool" not in tag]
    for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
}


def flow_text(shape: FlowShape) -> str:
    """The text of the flow's file."""
    dumped = yaml.dump(
        declaration(shape), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH
    )
    return f"{header(shape)}{dumped}"


MADE = "# Made by `segue flows compile` from"


def header(shape: FlowShape) -> str:
    """Says what the file was made from: it is not to be edited."""
    return (
        "# yaml-language-server: $schema=../schemas/flow.schema.json\n"
        f"{MADE} {shape.title} in {shape.file}; edit that, not this.\n"
    )
