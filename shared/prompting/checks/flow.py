"""Whether a flow makes sense before it ever runs; every complaint names its line and a remedy.

Pure over what was read. Knows prompts, actions and, where they are given, registered functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.actions import ACTIONS
from shared.domain.agents.tool import ToolVersion
from shared.domain.expressions import GLOBALS, attributes, names
from shared.domain.flow import Flow, ScheduleTrigger
from shared.domain.instances import LOOP
from shared.domain.starts.priorities import PRIORITIES
from shared.domain.step import ActionStep, AgentStep, CallStep, FlowStep, PromptStep, Step, WaitStep
from shared.domain.version import PromptVersion, prompts_of
from shared.errors import ExpressionError
from shared.prompting.checks.children import child_complaints
from shared.prompting.checks.compensate import Below, as_step, name_problems, undone
from shared.prompting.checks.control import control_problems, key_expressions
from shared.prompting.checks.foreach import foreach_problems
from shared.prompting.checks.graph import did_you_mean, graph_problems
from shared.prompting.checks.prompts import input_complaints, no_such_prompt
from shared.prompting.checks.retrieval import OUTPUTS, Collections, collection_problems
from shared.prompting.checks.retrieval import texts_of as texts_of_search
from shared.prompting.checks.wait import outputs_of, texts_of, wait_problems
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
        tools: Mapping[str, ToolVersion] | None = None,
        collections: Collections = None,
    ) -> None:
        self._source = source
        self._flow = flow
        self._prompts = prompts
        self._calls = calls
        self._tools = tools or {}
        self._collections = collections

    def problems(self) -> list[Problem]:
        """All that is wrong; what depends on a sound graph is looked at only in one."""
        graph = graph_problems(self._source, self._flow)
        if graph:
            return graph
        return [
            *self._trigger(),
            *name_problems(self._source, self._flow),
            *self.of_steps(),
            *self._judges(),
        ]

    def of_steps(self) -> Iterator[Problem]:
        """What is wrong with the steps and outputs of a flow whose graph is sound."""
        for name in self._flow.steps:
            yield from self._step(name)
        yield from self._texts(("outputs",), self._flow.outputs, frozenset(self._flow.steps))

    # -- parts ------------------------------------------------------------------------------

    def _trigger(self) -> Iterator[Problem]:
        if self._flow.on.where is not None:
            yield from self._text(
                ("on", "where"), self._flow.on.where, frozenset(), expression=True
            )
        for at, expression in key_expressions(self._flow):
            yield from self._text(at, expression, frozenset(), expression=True)
        yield from control_problems(self._source, self._flow)
        if self._flow.priority is not None and self._flow.priority not in PRIORITIES:
            yield from self._text(("priority",), self._flow.priority, frozenset(), expression=True)
        if self._flow.input is not None:
            complaint = schema_complaint(self._source, ("input",), self._flow.input)
            if complaint:
                yield complaint
                return
        if isinstance(self._flow.on, ScheduleTrigger):
            yield from self._schedule(self._flow.on)

    def _judges(self) -> Iterator[Problem]:
        """Loaded only where a flow has judges: few have."""
        if not self._flow.judge:
            return
        from shared.prompting.checks.judge import JudgeCheck  # noqa: PLC0415

        yield from JudgeCheck(self._source, self._flow, self._prompts).problems()
        for name, judge in self._flow.judge.items():
            every = frozenset(self._flow.steps)
            yield from self._texts(("judge", name, "with"), judge.arguments, every)

    def _schedule(self, trigger: ScheduleTrigger) -> Iterator[Problem]:
        """Cron and time zones are loaded only where a flow has a schedule: few have."""
        from shared.prompting.checks.schedule import schedule_problems  # noqa: PLC0415

        yield from schedule_problems(self._source, trigger.schedule, self._flow.input)

    def _step(self, name: str) -> Iterator[Problem]:
        step = self._flow.steps[name]
        before = self._flow.ancestors(name)
        if step.when is not None:
            yield from self._text(("steps", name, "when"), step.when, before, expression=True)
        inside = before
        if step.foreach is not None:
            inside |= LOOP
            written = ("in",) if ("steps", name, "foreach", "in") in self._source.lines else ()
            at = ("steps", name, "foreach", *written)
            yield from self._text(at, step.foreach.source, before, expression=True)
            yield from foreach_problems(self._source, self._flow, name, step.foreach)
        yield from self.parts(name, step, inside)
        yield from self._compensation(name, step)

    def parts(self, name: str, step: Step, inside: frozenset[str]) -> Iterator[Problem]:
        """What is wrong with what a step does, where it sees the variables `inside`."""
        yield from self._texts(("steps", name, "with"), step.arguments, inside)
        yield from self._fallback(name, step, inside)
        yield from collection_problems(self._source, name, step, self._collections)
        for at, texts in texts_of_search(step):
            yield from self._texts(("steps", name, *at), texts, inside | step.arguments.keys())
        match step:
            case PromptStep():
                yield from self._prompt(name, step, inside)
            case AgentStep():
                yield from self._agent(name, step, inside)
            case ActionStep():
                yield from self._action(name, step)
            case CallStep():
                yield from self._call(name, step)
            case FlowStep():
                yield from self._child(name, step)
            case WaitStep():
                yield from self._wait(name, step, inside)

    def _compensation(self, name: str, step: Step) -> Iterator[Problem]:
        """It sees whatever has succeeded by then; which steps have, nobody can tell before."""
        if step.compensate is None:
            return
        source, flow = Below(**vars(self._source)), undone(self._flow, name)
        inside = frozenset(flow.steps) | (LOOP if step.foreach is not None else frozenset())
        about = (self._prompts, self._calls, self._tools, self._collections)
        check = FlowCheck(source, flow, *about)
        yield from check.parts(name, as_step(step), inside)

    def _fallback(self, name: str, step: Step, before: frozenset[str]) -> Iterator[Problem]:
        if step.fallback is None:
            return
        at: Location = ("steps", name, "fallback")
        yield from self._texts((*at, "value"), step.fallback.value, before)
        asks = step.fallback.prompt is not None or step.fallback.model is not None
        if asks and not isinstance(step, PromptStep):
            yield self._at(
                at, f"step {name!r} asks no model; its fallback is a `value` or a `step`"
            )
        elif step.fallback.prompt is not None:
            yield from self._one_prompt((*at, "prompt"), (name, step), step.fallback.prompt, before)

    def _prompt(self, name: str, step: PromptStep, before: frozenset[str]) -> Iterator[Problem]:
        yield from self._one_prompt(("steps", name, "prompt"), (name, step), step.prompt, before)

    def _agent(self, name: str, step: AgentStep, before: frozenset[str]) -> Iterator[Problem]:
        """Loaded only where a flow has an agent: few have."""
        from shared.prompting.checks.agent import agent_problems  # noqa: PLC0415

        at: Location = ("steps", name, "agent")
        yield from self._one_prompt(at, (name, step), step.agent, before)
        for called, persona in step.hand_offs.items():
            at = ("steps", name, "hand_offs", called, "agent")
            yield from self._one_prompt(at, (name, step), persona.agent, before)
        known = (self._tools, self._collections)
        yield from agent_problems(self._source, name, step, before, known)

    def _one_prompt(
        self, at: Location, asking: tuple[str, Step], called: str, before: frozenset[str]
    ) -> Iterator[Problem]:
        name, step = asking
        prompt = self._prompts.get(called)
        if prompt is None:
            yield self._at(at, no_such_prompt(called, self._prompts))
            return
        given = step.arguments.keys()
        for complaint in input_complaints(prompt, given):
            yield self._at(at, complaint)
        for missing in sorted(prompt.references - before - given - _ALWAYS - GLOBALS):
            yield self._at(
                at,
                f"prompt {called!r} reads {missing!r}, which step {name!r} does not have;"
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
                + did_you_mean(step.call, self._calls),
            )

    def _child(self, name: str, step: FlowStep) -> Iterator[Problem]:
        """What does not go with a child. Whether the flow is there, all flows together tell."""
        for key, message in child_complaints(name, step):
            yield self._at(("steps", name, key), message)

    def _wait(self, name: str, step: WaitStep, before: frozenset[str]) -> Iterator[Problem]:
        yield from wait_problems(self._source, self._flow, name, step)
        at: Location = ("steps", name, "wait")
        for key, text, is_expression in texts_of(step.wait):
            if is_expression:
                yield from self._text((*at, key), text, before, expression=True)
            else:
                yield from self._texts((*at, key), text, before)

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
            if name in before and self._is_mapped(name):
                yield self._at(at, self._of_a_list(name, attribute))
                continue
            possible = self._attributes_of(name) if name in known else None
            if possible is not None and attribute not in possible:
                yield self._at(
                    at,
                    f"{name!r} has no {attribute!r}; it has {', '.join(sorted(possible))}"
                    + did_you_mean(attribute, possible),
                )

    def _is_mapped(self, name: str) -> bool:
        return name in self._flow.steps and self._flow.steps[name].foreach is not None

    @staticmethod
    def _of_a_list(name: str, attribute: str) -> str:
        return (
            f"{name!r} is a list, with an output for each item, and has no {attribute!r};"
            f" write `{name} | map(attribute='{attribute}') | list` or `{name}[0].{attribute}`"
        )

    def _undefined(self, name: str, before: frozenset[str]) -> str:
        if name in LOOP and name not in self._flow.steps:
            return f"{name!r} is there only in `with` and the prompt of a step with `foreach`"
        if name in self._flow.steps:
            return f"{name!r} has not finished here; add it to `needs`"
        return f"{name!r} is undefined" + did_you_mean(name, before | _ALWAYS)

    def _attributes_of(self, name: str) -> frozenset[str] | None:
        """Attributes that a variable can have; None where anything is possible."""
        if name == "event":
            return EVENT_ATTRIBUTES
        if name == "run":
            return RUN_ATTRIBUTES
        step: Step | None = self._flow.steps.get(name)
        if isinstance(step, WaitStep):
            return outputs_of(step)
        if step is not None and step.kind in OUTPUTS and step.fallback is None:
            return OUTPUTS[step.kind]
        asked = prompts_of(step) if step is not None else ()
        if not asked or asked[0] not in self._prompts:
            return None
        if step is not None and step.fallback is not None and step.fallback.model is None:
            return None  # what takes its place may be of another shape
        schema = self._prompts[asked[0]].head.output
        if schema is None:
            return frozenset({"text"})
        properties = schema.get("properties")
        return frozenset(properties) if isinstance(properties, dict) else None

    def _at(self, location: Location, message: str) -> Problem:
        return self._source.problem(location, message)
