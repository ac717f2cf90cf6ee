"""The expressions by which a compiled step sees its events: outputs of steps, by name.

Whatever a source may not have given is guarded, so that no expression meets what is undefined.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from shared.domain.model import Json
from shared.typed.events import EVENT, name_of
from shared.typed.graph import Graph
from shared.typed.shapes import StepShape, Taken


class Wiring:
    """The expressions of one flow."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def condition(self, step: StepShape) -> str | None:
        """When the step runs, beside what its needs say; None where those say all."""
        needs = self._graph.needs(step)
        is_join = len(needs) > 1
        parts: list[list[str]] = []
        for taken in step.takes:
            sources = self._graph.sources(taken)
            tests = [self._tests(source, taken, is_join=is_join) for source in sources]
            if not sources or not all(tests):
                continue  # one of them is always there
            of_presence = all(test == [_there(s)] for s, test in zip(sources, tests, strict=True))
            if of_presence and len(sources) == len(needs):
                continue  # a join waits for just that
            parts.append([_all_of(test) for test in tests])
        if len(parts) == 1:
            return " or ".join(_grouped(parts[0]))
        return _all_of(dict.fromkeys(_any_of(part) for part in parts)) or None

    def _tests(self, source: StepShape, taken: Taken, *, is_join: bool) -> list[str]:
        tests = []
        if is_join and not self._graph.is_certain(source):
            tests.append(_there(source))
        if not self._graph.gives_many(source) and self._graph.must_be_asked(source, taken):
            tests.append(_is_one_of(source.name, source.gives.names & taken.names))
        return tests

    def value(self, taken: Taken) -> str:
        """What a parameter gets."""
        if taken.starts:
            return "event.data"
        sources = self._graph.sources(taken)
        if any(map(self._graph.gives_many, sources)):
            return self.items(taken) if taken.many else "item"
        if taken.many:
            return self._those_given(sources, taken)
        choices = [
            (self._certainly(source, taken), self._named(source, taken)) for source in sources
        ]
        return chosen(choices)

    def items(self, taken: Taken) -> str:
        """All events of a parameter, in the order of the flow's steps and of their lists."""
        lists = [self._list(source, taken) for source in self._graph.sources(taken)]
        return lists[0] if len(lists) == 1 else " + ".join(f"({one})" for one in lists)

    def _list(self, source: StepShape, taken: Taken) -> str:
        found = source.name
        if not self._graph.is_certain(source):
            found = f"{found} | default([])"
        filters = []
        if self._graph.must_be_asked(source, taken):
            filters = [_select(source.gives.names & taken.names)]
        if source.options.tolerate is not None:  # what has failed is null
            filters = ["select", *filters]
        return " | ".join([found, *filters, *(["list"] if filters else [])])

    def _those_given(self, sources: Iterable[StepShape], taken: Taken) -> str:
        """A list of those that were given, of several that may be."""
        found, is_sure = [], True
        for source in sources:
            test, name = self._certainly(source, taken), self._named(source, taken)
            found.append(f"({name} if {test} else none)" if test else name)
            is_sure = is_sure and not test
        return f"[{', '.join(found)}]{'' if is_sure else ' | select | list'}"

    def _certainly(self, source: StepShape, taken: Taken) -> str:
        return _all_of(self._tests(source, taken, is_join=True))

    @staticmethod
    def _named(source: StepShape, taken: Taken) -> str:
        """A model's answer does not say which event it is: it is told where there are several."""
        if source.is_prompt and len(taken.kinds) > 1:
            return f"dict({source.name}, {EVENT}={_quoted(name_of(source.gives.kinds[0]))})"
        return source.name

    # -- what a run comes to ----------------------------------------------------------------

    def output(self, field: str) -> str:
        """A field of the StopEvent, whichever step gives it."""
        names = frozenset(map(name_of, self._graph.shape.stops))
        choices = []
        for step in self._graph.shape.steps.values():
            if not step.gives.stops:
                continue
            with_field = [k for k in step.gives.stops if field == EVENT or field in k.model_fields]
            value = f"{step.name}.{field}" if with_field else "none"
            if with_field and not _is_always_in(step, field, len(with_field)):
                value = f"{value} | default({self._default(step, field)})"
            taken = Taken(field, step.gives.stops)
            choices.append((self._certainly_given(step, taken, names), value))
        return chosen(choices)

    def _certainly_given(self, step: StepShape, taken: Taken, names: frozenset[str]) -> str:
        tests = [] if self._graph.is_certain(step) else [_there(step)]
        if not step.gives.names <= names or step.gives.maybe:
            tests.append(_is_one_of(step.name, taken.names))
        return _all_of(tests)

    @staticmethod
    def _default(step: StepShape, field: str) -> str:
        found = (k.model_fields[field] for k in step.gives.stops if field in k.model_fields)
        return default_of(next(found))


def default_of(field: Any) -> str:
    """The literal of a field's default; null where that is no plain value."""
    value = None if field.is_required() else field.get_default(call_default_factory=True)
    try:
        return literal(json.loads(json.dumps(value)))
    except TypeError:
        return "none"


def literal(value: Json) -> str:
    """A JSON value as expressions write it."""
    if value is None:
        return "none"
    if isinstance(value, dict):
        pairs = (f"{_quoted(key)}: {literal(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def chosen(choices: list[tuple[str, str]]) -> str:
    """The first value whose test holds, else the last one."""
    *others, (_, last) = choices
    return " else ".join([*(f"{value} if {test}" for test, value in others if test), last])


def filled(expression: str) -> str:
    """The template that is this expression."""
    return f"{{{{ {expression} }}}}"


def _is_always_in(step: StepShape, field: str, kinds_with_it: int) -> bool:
    if kinds_with_it < len(step.gives.stops):
        return False
    if not step.is_prompt or field == EVENT:
        return True
    return step.gives.stops[0].model_fields[field].is_required()


def _there(step: StepShape) -> str:
    return f"{step.name} is defined"


def _is_one_of(name: str, names: Iterable[str]) -> str:
    listed = sorted(names)
    if len(listed) == 1:
        return f"{name}.{EVENT} == {_quoted(listed[0])}"
    return f"{name}.{EVENT} in {_literals(listed)}"


def _literals(names: Iterable[str]) -> str:
    return f"[{', '.join(_quoted(name) for name in sorted(names))}]"


def _select(names: Iterable[str]) -> str:
    listed = sorted(names)
    if len(listed) == 1:
        return f'selectattr("{EVENT}", "equalto", {_quoted(listed[0])})'
    return f'selectattr("{EVENT}", "in", {_literals(listed)})'


def _quoted(text: str) -> str:
    """Expressions read the escapes of JSON."""
    return json.dumps(text)


def _all_of(tests: Iterable[str]) -> str:
    return " and ".join(tests)


def _any_of(tests: Iterable[str]) -> str:
    found = list(tests)
    if len(found) == 1:
        return found[0]
    return f"({' or '.join(_grouped(found))})"


def _grouped(alternatives: Iterable[str]) -> list[str]:
    found = list(alternatives)
    return [f"({one})" if " and " in one and len(found) > 1 else one for one in found]
