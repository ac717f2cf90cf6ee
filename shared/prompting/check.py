"""Whether a flow makes sense before it ever runs; every complaint names its line and a remedy.

Pure over what was read. Knows prompts, actions and, where they are given, registered functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from shared.domain.actions import ACTIONS
from shared.domain.expressions import GLOBALS, attributes, names
from shared.domain.flow import ActionStep, CallStep, Flow, PromptStep, ScheduleTrigger, Step
from shared.domain.version import PromptVersion
from shared.errors import ExpressionError
from shared.prompting.prompt_file import schema_complaint
from shared.prompting.source import Location, Problem, Source

EVENT_ATTRIBUTES = frozenset(
    {"id", "type", "source", "time", "subject", "data", "correlation_id", "causation_id"}
)
RUN_ATTRIBUTES = frozenset({"id", "flow", "correlation_id"})
_ALWAYS = frozenset({"event", "run"})


class FlowCheck:
    """Checks one flow. `calls` None means: the registered functions are not known here."""

    def __init__(
        self,
        source: Source,
        flow: Flow,
        prompts: Mapping[str, PromptVersion],
        calls: frozenset[str] | None = None,
    ) -> None:
        self._source = source
        self._flow = flow
        self._prompts = prompts
        self._calls = calls

    def problems(self) -> list[Problem]:
        """All that is wrong; what depends on a sound graph is looked at only in one."""
        graph = [*self._needs(), *self._cycles()]
        if graph:
            return graph
        return [
            *self._trigger(),
            *(problem for name in self._flow.steps for problem in self._step(name)),
            *self._texts(("outputs",), self._flow.outputs, frozenset(self._flow.steps)),
        ]

    # -- graph ------------------------------------------------------------------------------

    def _needs(self) -> Iterator[Problem]:
        for name, step in self._flow.steps.items():
            for need in step.needs:
                if need not in self._flow.steps:
                    yield self._at(
                        ("steps", name, "needs"),
                        f"step {name!r} needs {need!r}, which is not a step"
                        + _did_you_mean(need, self._flow.steps),
                    )
            if len(set(step.needs)) < len(step.needs):
                yield self._at(("steps", name, "needs"), f"step {name!r} names a need twice")

    def _cycles(self) -> Iterator[Problem]:
        left = {name: set(step.needs) for name, step in self._flow.steps.items()}
        while ready := [name for name, needs in left.items() if not needs & left.keys()]:
            for name in ready:
                del left[name]
        for name in left:
            if name in self._behind(name, left):
                message = f"step {name!r} is part of a cycle; break it by removing a need"
            else:
                message = f"step {name!r} is unreachable: what it needs never finishes"
            yield self._at(("steps", name), message)

    @staticmethod
    def _behind(name: str, needs: Mapping[str, set[str]]) -> set[str]:
        found: set[str] = set()
        todo = list(needs[name])
        while todo:
            need = todo.pop()
            if need in needs and need not in found:
                found.add(need)
                todo.extend(needs[need])
        return found

    # -- parts ------------------------------------------------------------------------------

    def _trigger(self) -> Iterator[Problem]:
        if self._flow.on.where is not None:
            yield from self._text(
                ("on", "where"), self._flow.on.where, frozenset(), expression=True
            )
        if self._flow.input is not None:
            complaint = schema_complaint(self._source, ("input",), self._flow.input)
            if complaint:
                yield complaint
                return
        if isinstance(self._flow.on, ScheduleTrigger):
            yield from self._schedule(self._flow.on)

    def _schedule(self, trigger: ScheduleTrigger) -> Iterator[Problem]:
        """Cron and time zones are loaded only where a flow has a schedule: few have."""
        from shared.prompting.check_schedule import schedule_problems  # noqa: PLC0415

        yield from schedule_problems(self._source, trigger.schedule, self._flow.input)

    def _step(self, name: str) -> Iterator[Problem]:
        step = self._flow.steps[name]
        before = self._flow.ancestors(name)
        if step.when is not None:
            yield from self._text(("steps", name, "when"), step.when, before, expression=True)
        yield from self._texts(("steps", name, "with"), step.arguments, before)
        match step:
            case PromptStep():
                yield from self._prompt(name, step, before)
            case ActionStep():
                yield from self._action(name, step)
            case CallStep():
                yield from self._call(name, step)

    def _prompt(self, name: str, step: PromptStep, before: frozenset[str]) -> Iterator[Problem]:
        at = ("steps", name, "prompt")
        prompt = self._prompts.get(step.prompt)
        if prompt is None:
            yield self._at(
                at,
                f"there is no prompt {step.prompt!r}; create"
                f" templates/{step.prompt}.md.j2{_did_you_mean(step.prompt, self._prompts)}",
            )
            return
        given = before | _ALWAYS | step.arguments.keys() | GLOBALS
        for missing in sorted(prompt.references - given):
            yield self._at(
                at,
                f"prompt {step.prompt!r} reads {missing!r}, which step {name!r} does not have;"
                " pass it in `with` or add the step to `needs`",
            )

    def _action(self, name: str, step: ActionStep) -> Iterator[Problem]:
        model = ACTIONS.get(step.action)
        if model is None:
            yield self._at(
                ("steps", name, "action"),
                f"there is no action {step.action!r}; there are {', '.join(ACTIONS)}",
            )
            return
        fields = {
            field.alias or key: field.is_required()
            for key, field in model.model_fields.items()
            if key != "action"
        }
        for argument in step.arguments:
            if argument not in fields:
                message = f"{step.action} takes no {argument!r}; it takes {', '.join(fields)}"
                yield self._at(("steps", name, "with", argument), message)
        yield from self._own_trigger(name, step)
        missing = [key for key, required in fields.items() if required]
        for argument in missing:
            if argument not in step.arguments:
                yield self._at(
                    ("steps", name, "action"), f"{step.action} needs {argument!r} in `with`"
                )

    def _own_trigger(self, name: str, step: ActionStep) -> Iterator[Problem]:
        published, subject = (step.arguments.get(key) for key in ("type", "subject"))
        literal = isinstance(published, str) and "{" not in published
        about = subject if isinstance(subject, str) else None
        if step.action == "event.publish" and literal and self._flow.takes(str(published), about):
            yield self._at(
                ("steps", name, "with", "type"),
                f"an event of type {published!r} starts this flow again, without end;"
                " publish another type or narrow on.event",
            )

    def _call(self, name: str, step: CallStep) -> Iterator[Problem]:
        if self._calls is not None and step.call not in self._calls:
            yield self._at(
                ("steps", name, "call"),
                f"no function is registered as {step.call!r}; register it in functions/act/calls"
                + _did_you_mean(step.call, self._calls),
            )

    # -- expressions ------------------------------------------------------------------------

    def _texts(self, at: Location, value: Any, before: frozenset[str]) -> Iterator[Problem]:
        if isinstance(value, Mapping):
            for key, item in value.items():
                yield from self._texts((*at, key), item, before)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._texts((*at, index), item, before)
        elif isinstance(value, str):
            yield from self._text(at, value, before)

    def _text(
        self, at: Location, text: str, before: frozenset[str], *, expression: bool = False
    ) -> Iterator[Problem]:
        try:
            used = names(text, expression=expression)
            read = attributes(text, expression=expression)
        except ExpressionError as error:
            yield self._at(at, error.detail)
            return
        known = before | _ALWAYS | GLOBALS
        for name in sorted(used - known):
            yield self._at(at, self._undefined(name, before))
        for name, attribute in sorted(read):
            possible = self._attributes_of(name) if name in known else None
            if possible is not None and attribute not in possible:
                yield self._at(
                    at,
                    f"{name!r} has no {attribute!r}; it has {', '.join(sorted(possible))}"
                    + _did_you_mean(attribute, possible),
                )

    def _undefined(self, name: str, before: frozenset[str]) -> str:
        if name in self._flow.steps:
            return f"{name!r} has not finished here; add it to `needs`"
        return f"{name!r} is undefined" + _did_you_mean(name, before | _ALWAYS)

    def _attributes_of(self, name: str) -> frozenset[str] | None:
        """Attributes that a variable can have; None where anything is possible."""
        if name == "event":
            return EVENT_ATTRIBUTES
        if name == "run":
            return RUN_ATTRIBUTES
        step: Step | None = self._flow.steps.get(name)
        if not isinstance(step, PromptStep) or step.prompt not in self._prompts:
            return None
        schema = self._prompts[step.prompt].head.output
        if schema is None:
            return frozenset({"text"})
        properties = schema.get("properties")
        return frozenset(properties) if isinstance(properties, dict) else None

    def _at(self, location: Location, message: str) -> Problem:
        return self._source.problem(location, message)


def _did_you_mean(word: str, known: Any) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
