"""Whether the versions of prompts that a registry gives fit a flow that is sound with its own.

A flow may name a version (`name@label`); what is bundled under the name stands in for it on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.domain.flow import Flow
from shared.domain.prompts.refs import PromptRef
from shared.domain.step import AgentStep
from shared.domain.version import FlowVersion, PromptVersion, all_prompts_of
from shared.prompting.checks.flow import FlowCheck
from shared.prompting.source import Source

MAX_FLOW_BYTES = 900 * 1024  # a flow with its prompts is stored in one document


def with_references(
    prompts: Mapping[str, PromptVersion], flow: Flow
) -> Mapping[str, PromptVersion]:
    """The prompts by name, and by whatever the flow calls them."""
    called = {name for step in flow.steps.values() for name in all_prompts_of(step)}
    called |= {judge.prompt for judge in flow.judge.values()}
    return {**prompts, **dict(_bundled(prompts, called - prompts.keys()))}


def _bundled(
    prompts: Mapping[str, PromptVersion], called: Iterable[str]
) -> Iterable[tuple[str, PromptVersion]]:
    for text in called:
        try:
            found = prompts.get(PromptRef.read(text).name)
        except ValueError:  # the check complains of a prompt that is not there
            continue
        if found is not None:
            yield text, found


def unfit(version: FlowVersion) -> str | None:
    """The first reason why a flow cannot do with its prompts, or None.

    The checks are those of a flow that is read from disk, as far as prompts matter.
    """
    source = Source(f"flow {version.flow.flow}", {}, {})
    check = FlowCheck(source, version.flow, version.prompts, tools=version.tools)
    first = next(iter(check.of_steps()), None)
    if first is not None:
        return first.message
    for prompt in version.prompts.values():
        wanted = prompt.head.retrieve.collection if prompt.head.retrieve else None
        if wanted is not None and wanted not in version.collections:
            return (
                f"prompt {prompt.name!r} searches {wanted!r}, a collection the flow does not have"
            )
    return too_large(version)


def with_inputs(version: FlowVersion, flows: Mapping[str, FlowVersion]) -> FlowVersion:
    """The flow with what the flows take that its agents have as tools, as far as that is known."""
    steps = version.flow.steps.values()
    called = {one.flow for step in steps if isinstance(step, AgentStep) for one in step.flows}
    inputs = {name: flows[name].flow.input for name in sorted(called & flows.keys())}
    known = {name: schema for name, schema in inputs.items() if schema is not None}
    if not known:
        return version
    fields = {name: getattr(version, name) for name in FlowVersion.model_fields}
    return FlowVersion.model_validate({**fields, "inputs": known})


def too_large(version: FlowVersion) -> str | None:
    """What to say of a flow that no document could hold, or None."""
    if len(version.model_dump_json(by_alias=True).encode()) <= MAX_FLOW_BYTES:
        return None
    return "the flow, its prompts and tools are over 900 KiB together; split the flow"
