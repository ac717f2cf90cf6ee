"""Everything under `prompts/`, read once: flows with their prompts, and what is wrong with them.

A file with a mistake is left out and reported; the others are served.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from shared.domain.agents.blackboard import BUILT_IN_TOOLS
from shared.domain.agents.tool import ToolVersion
from shared.domain.budgets.prices import PriceTable
from shared.domain.flow import Flow
from shared.domain.retrieval.collection import Collection
from shared.domain.version import (
    FlowVersion,
    PromptVersion,
    all_prompts_of,
    collections_of,
    tools_of,
)
from shared.prompting.checks.children import Read, children_problems
from shared.prompting.checks.contexts import unpriced_contexts
from shared.prompting.checks.flow import FlowCheck
from shared.prompting.collection_files import read_collections
from shared.prompting.fitting import too_large, with_inputs, with_references
from shared.prompting.prompt_file import SUFFIX, read_prompt
from shared.prompting.quota_file import quota_problems
from shared.prompting.source import Problem, Source, SourceProblems, read_yaml
from shared.prompting.tool_files import read_tools

if TYPE_CHECKING:
    from shared.domain.rollouts.declared import Rollout

PARTIALS = "_partials"
PRICES = "prices.yaml"
ROLLOUTS = "rollouts"


@dataclass(frozen=True)
class Library:
    """What is there by name. `problems` name what was left out, and why."""

    flows: Mapping[str, FlowVersion]
    prompts: Mapping[str, PromptVersion]
    problems: tuple[Problem, ...]
    tools: Mapping[str, ToolVersion] = field(default_factory=dict)
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    collections: Mapping[str, Collection] = field(default_factory=dict)


NO_TOOLS: Mapping[str, ToolVersion] = {}
NO_LIBRARY = Library({}, {}, ())


def read_library(root: Path, calls: frozenset[str] | None = None) -> Library:
    """Reads what is in `root`'s folders. Never raises for what a person wrote there."""
    problems = quota_problems(root)
    collections = read_collections(root, problems)
    prompts = _read_prompts(root, problems, collections)
    tools = read_tools(root, problems)
    flows: dict[str, FlowVersion] = {}
    sources: dict[str, Source] = {}
    paths = sorted((root / "flows").glob("*.yaml"))
    for path in paths:
        try:
            source = read_yaml(path.read_text("utf-8"), _shown(root, path))
            version = _flow_in(source, prompts, calls, tools, collections)
            _require_affordable(source, version, root)
            if version.flow.flow != path.stem:
                message = f"the flow is called {version.flow.flow!r}; name the file after it"
                raise SourceProblems([Problem(_shown(root, path), 1, message)])
            flows[version.flow.flow], sources[version.flow.flow] = version, source
        except SourceProblems as error:
            problems.extend(error.problems)
        except UnicodeDecodeError as error:
            problems.append(Problem(_shown(root, path), 1, f"not UTF-8: {error.reason}"))
    known = {name: Read(sources[name], version.flow) for name, version in flows.items()}
    unfit = children_problems(known, frozenset(path.stem for path in paths))
    files = {problem.file for problem in unfit}
    sound = {
        name: with_inputs(one, flows)
        for name, one in flows.items()
        if sources[name].file not in files
    }
    for name, version in list(sound.items()):
        for judge in _judges(sources[name], version.flow, sound, problems):
            try:
                sound[judge.data["flow"]] = _flow_in(judge, prompts, calls, tools, collections)
            except SourceProblems as error:
                problems.extend(error.problems)
    rollouts = _read_rollouts(root, sound, prompts, problems)
    told = tuple(sorted([*problems, *unfit]))
    return Library(sound, prompts, told, tools, rollouts, collections)


def read_flow(
    text: str,
    file: str,
    prompts: Mapping[str, PromptVersion],
    calls: frozenset[str] | None = None,
    tools: Mapping[str, ToolVersion] = NO_TOOLS,
    collections: Mapping[str, Collection] | None = None,
) -> FlowVersion:
    """One checked flow with the prompts and tools it uses. Raises SourceProblems.

    Whether its children are there is for a library to say.
    """
    source = read_yaml(text, file)
    version = _flow_in(source, prompts, calls, tools, collections)
    _require_affordable(source, version, None)
    return version


def _flow_in(
    source: Source,
    prompts: Mapping[str, PromptVersion],
    calls: frozenset[str] | None,
    tools: Mapping[str, ToolVersion],
    collections: Mapping[str, Collection] | None,
) -> FlowVersion:
    file = source.file
    if not isinstance(source.data, dict):
        raise SourceProblems([Problem(file, 1, "a flow file is a mapping with flow, on and steps")])
    try:
        flow = Flow.model_validate(source.data)
    except ValidationError as error:
        raise SourceProblems(source.problems(error)) from error
    prompts, tools = with_references(prompts, flow), {**BUILT_IN_TOOLS, **tools}
    problems = FlowCheck(source, flow, prompts, calls, tools, collections).problems()
    if problems:
        raise SourceProblems(problems)
    used = {name for step in flow.steps.values() for name in all_prompts_of(step)}
    called = {name for step in flow.steps.values() for name in tools_of(step)}
    version = FlowVersion(
        flow=flow,
        prompts={name: prompts[name] for name in sorted(used)},
        tools={name: tools[name] for name in sorted(called)},
        collections=_collections_of(flow, prompts, collections or {}),
    )
    if (message := too_large(version)) is not None:
        raise SourceProblems([Problem(file, 1, message)])
    return version


def _judges(
    source: Source, flow: Flow, flows: Mapping[str, FlowVersion], problems: list[Problem]
) -> Iterator[Source]:
    """The flows that judge one's runs. Loaded where there are some."""
    if not flow.judge:
        return
    from shared.domain.rollouts.judges import judging  # noqa: PLC0415

    for outcome, judge in flow.judge.items():
        declared = judging(flow.flow, outcome, judge)
        if declared["flow"] in flows:
            told = f"the flow that judges would be {declared['flow']!r}, which is there already"
            problems.append(source.problem(("judge", outcome), f"{told}; rename one"))
        else:
            yield Source(source.file, declared, {})


def _require_affordable(source: Source, version: FlowVersion, root: Path | None) -> None:
    """Raises SourceProblems where what it may spend makes no sense; only then prices are read."""
    keeps = any(one.head.context_cache is not None for one in version.prompts.values())
    if version.flow.budget is None and not keeps:
        return
    from shared.prompting.checks.budget import budget_problems  # noqa: PLC0415 - few have one

    prices = read_prices(root) if root is not None and (root / PRICES).is_file() else None
    problems = [
        *budget_problems(source, version, prices),
        *unpriced_contexts(source, version, prices),
    ]
    if problems:
        raise SourceProblems(problems)


def _collections_of(
    flow: Flow, prompts: Mapping[str, PromptVersion], known: Mapping[str, Collection]
) -> dict[str, Collection]:
    """Those that its steps name; all, where the data of an event may name any."""
    named = [collections_of(step, prompts) for step in flow.steps.values()]
    wanted = set(known) if None in named else {name for one in named if one for name in one}
    return {name: known[name] for name in sorted(wanted & known.keys())}


def read_partials(root: Path) -> dict[str, str]:
    """What prompts can include, by name."""
    templates = root / "templates"
    paths = sorted((templates / PARTIALS).rglob(f"*{SUFFIX}"))
    return {path.relative_to(templates).as_posix(): path.read_text("utf-8") for path in paths}


def read_prices(root: Path) -> PriceTable:
    """`root/prices.yaml`. Raises SourceProblems."""
    path = root / PRICES
    source = read_yaml(path.read_text("utf-8"), _shown(root, path))
    try:
        return PriceTable.model_validate(source.data)
    except ValidationError as error:
        raise SourceProblems(source.problems(error)) from error


def _read_rollouts(
    root: Path,
    flows: Mapping[str, FlowVersion],
    prompts: Mapping[str, PromptVersion],
    problems: list[Problem],
) -> Mapping[str, Rollout]:
    """Loaded where there are some."""
    if not (root / ROLLOUTS).is_dir():
        return {}
    from shared.prompting.rollout_file import read_rollouts  # noqa: PLC0415

    return read_rollouts(root / ROLLOUTS, flows, prompts, problems)


def _read_prompts(
    root: Path, problems: list[Problem], collections: Mapping[str, Collection]
) -> dict[str, PromptVersion]:
    templates = root / "templates"
    texts: dict[str, str] = {}
    for path in sorted(templates.rglob(f"*{SUFFIX}")):
        try:
            texts[path.relative_to(templates).as_posix()] = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            problems.append(Problem(_shown(root, path), 1, f"not UTF-8: {error.reason}"))
    partials = {name: text for name, text in texts.items() if name.startswith(f"{PARTIALS}/")}
    prompts: dict[str, PromptVersion] = {}
    for file, text in texts.items():
        if file in partials:
            continue
        name = file.removesuffix(SUFFIX)
        try:
            prompts[name] = read_prompt(
                name, text, _shown(root, templates / file), partials, collections
            )
        except SourceProblems as error:
            problems.extend(error.problems)
    return prompts


def _shown(root: Path, path: Path) -> str:
    return (Path(root.name) / path.relative_to(root)).as_posix()
