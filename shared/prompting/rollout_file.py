"""Rollout files: read, and checked against the flows and prompts that they are about.

A variant that is a label is not looked for: labels are set and moved without a deployment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from shared.domain.expressions import names
from shared.domain.flow import Flow
from shared.domain.rollouts.declared import Rollout
from shared.domain.step import AgentStep, FlowStep, WaitStep
from shared.domain.version import FlowVersion, PromptVersion, prompts_of
from shared.errors import ExpressionError
from shared.prompting.checks.graph import did_you_mean
from shared.prompting.source import Location, Problem, Source, SourceProblems, read_yaml


def read_rollouts(
    folder: Path,
    flows: Mapping[str, FlowVersion],
    prompts: Mapping[str, PromptVersion],
    problems: list[Problem],
) -> dict[str, Rollout]:
    """The sound ones by name; what is wrong with others is added to `problems`."""
    found: dict[str, Rollout] = {}
    taken: dict[tuple[bool, str], str] = {}  # what has a rollout: (is it a flow, its name)
    for path in sorted(folder.glob("*.yaml")):
        shown = path.relative_to(folder.parents[1]).as_posix()
        try:
            source = read_yaml(path.read_text("utf-8"), shown)
            rollout = _read(source, path.stem)
            wrong = [*_problems(source, rollout, flows, prompts)]
            about = (rollout.of.kind == "flow", rollout.of.name)
            if other := taken.get(about):
                told = f"rollout {other!r} is about {rollout.of.name!r} already; remove one"
                wrong.append(source.problem(("of",), told))
            if wrong:
                raise SourceProblems(wrong)
            found[rollout.rollout] = rollout
            taken[about] = rollout.rollout
        except SourceProblems as error:
            problems.extend(error.problems)
        except UnicodeDecodeError as error:
            problems.append(Problem(shown, 1, f"not UTF-8: {error.reason}"))
    return found


def _read(source: Source, stem: str) -> Rollout:
    if not isinstance(source.data, dict):
        told = "a rollout file is a mapping with rollout, of and a way to choose"
        raise SourceProblems([Problem(source.file, 1, told)])
    try:
        rollout = Rollout.model_validate(source.data)
    except ValidationError as error:
        raise SourceProblems(source.problems(error)) from error
    if rollout.rollout != stem:
        message = f"the rollout is called {rollout.rollout!r}; name the file after it"
        raise SourceProblems([source.problem(("rollout",), message)])
    return rollout


def _problems(
    source: Source,
    rollout: Rollout,
    flows: Mapping[str, FlowVersion],
    prompts: Mapping[str, PromptVersion],
) -> Iterator[Problem]:
    if rollout.key is not None:
        yield from _key(source, ("split" if rollout.split else "canary", "key"), rollout.key)
    if rollout.of.kind != "flow":
        yield from _of_prompt(source, rollout, flows, prompts)
        return
    named = [*rollout.variants, *([rollout.fallback] if rollout.fallback else [])]
    for flow in dict.fromkeys([rollout.of.name, *named]):
        if flow not in flows:
            told = f"there is no sound flow {flow!r}{did_you_mean(flow, flows)}"
            yield source.problem(("of", "flow"), told)
    candidate = flows.get(rollout.shadow.candidate) if rollout.shadow is not None else None
    if candidate is not None:
        yield from _shadow(source, candidate.flow.flow, candidate.flow)
    if rollout.of.name not in rollout.variants:
        told = f"flow {rollout.of.name!r} is not among its variants; add it"
        yield source.problem(("of", "flow"), told)


def _of_prompt(
    source: Source,
    rollout: Rollout,
    flows: Mapping[str, FlowVersion],
    prompts: Mapping[str, PromptVersion],
) -> Iterator[Problem]:
    name = rollout.of.name
    if name not in prompts:
        told = f"there is no prompt {name!r}{did_you_mean(name, prompts)}"
        yield source.problem(("of", rollout.of.kind), told)
    elif not any(name in version.prompts for version in flows.values()):
        told = (
            f"no sound flow asks for prompt {name!r} by its name alone; nobody would get a variant"
        )
        yield source.problem(("of", rollout.of.kind), told)
    elif rollout.shadow is not None and _is_never_shadowed(prompts[name], flows):
        told = f"prompt {name!r} searches, and speaks only as a persona: it is not shadowed"
        yield source.problem(("of", rollout.of.kind), told)


def _is_never_shadowed(prompt: PromptVersion, flows: Mapping[str, FlowVersion]) -> bool:
    """Whether it only goes on with conversations, and what it had found is not there to be told."""
    if prompt.head.retrieve is None:
        return False
    steps = [step for version in flows.values() for step in version.flow.steps.values()]
    asking = [step for step in steps if prompt.name in prompts_of(step)]
    own = [step for step in asking if not isinstance(step, AgentStep) or step.agent == prompt.name]
    return bool(asking) and not own


def _shadow(source: Source, candidate: str, flow: Flow) -> Iterator[Problem]:
    """What would have effects, or wait for somebody, in a run that nobody knows of."""
    cannot = {
        "steps that wait": any(isinstance(step, WaitStep) for step in flow.steps.values()),
        "steps that open children": any(
            isinstance(step, FlowStep) or (isinstance(step, AgentStep) and step.flows)
            for step in flow.steps.values()
        ),
        "tools that need approval": any(
            tool.approval is not None
            for step in flow.steps.values()
            if isinstance(step, AgentStep)
            for tool in step.every_tool
        ),
        "on_failure": flow.on_failure is not None,
        "compensate": flow.compensates,
    }
    for what in (what for what, is_there in cannot.items() if is_there):
        told = f"flow {candidate!r} has {what}, and cannot be a shadow"
        yield source.problem(("shadow", "candidate"), told)


def _key(source: Source, at: Location, expression: str) -> Iterator[Problem]:
    try:
        unknown = names(expression, expression=True) - {"event"}
    except ExpressionError as error:
        yield source.problem(at, error.detail)
        return
    for name in sorted(unknown):
        yield source.problem(at, f"{name!r} is undefined; a key sees `event` and nothing else")
