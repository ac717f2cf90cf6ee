"""Lets a candidate answer beside a step, or a turn of an agent, with nothing that waits for it.

It is asked where the step's own request is put together, with what that was made of. Whatever
fails here is told of in the log and touches no run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.models.asking import request_for
from shared.delivery.scope import Scope, variables_at, variables_of
from shared.domain.envelope import INLINE_BYTES, SHADOW, Envelope, Message, ModelRequest
from shared.domain.instances import instance_of
from shared.domain.rollouts.shadows import ShadowQuestion
from shared.domain.step import AgentStep, PromptStep
from shared.domain.version import PromptVersion, ShadowPrompt
from shared.errors import SegueError
from shared.prompting.render import pin_of


async def cast_shadow(scope: Scope, envelope: Envelope, deps: Deps) -> None:
    """Asks the shadow of a step's prompt, where the run has one and nothing is searched for it."""
    declared = scope.version.flow.declared(envelope.step)
    if not isinstance(declared, PromptStep) or instance_of(envelope.step).part is not None:
        return
    shadow = scope.version.shadows.get(declared.prompt)
    if shadow is None or scope.version.prompts[declared.prompt].head.retrieve is not None:
        return
    try:
        variables = await variables_of(deps.store, scope, envelope)
        request = request_for(scope, envelope, shadow.prompt, variables)
        await _ask(scope, envelope, shadow, request, deps)
    except SegueError as error:
        _tell(envelope, error, deps)


async def cast_informed(
    scope: Scope,
    envelope: Envelope,
    prompt: PromptVersion,
    variables: Mapping[str, Any],
    deps: Deps,
) -> None:
    """Asks the shadow of a prompt that has searched: with the same chunks, in its own template."""
    shadow = scope.version.shadows.get(prompt.name)
    if shadow is None or scope.version.prompts.get(prompt.name) is not prompt:
        return
    try:
        request = request_for(scope, envelope, shadow.prompt, variables)
        await _ask(scope, envelope, shadow, request, deps)
    except SegueError as error:
        _tell(envelope, error, deps)


async def cast_turn(
    scope: Scope,
    envelope: Envelope,
    request: ModelRequest,
    speaker: str | None,
    known: Mapping[str, Any],
    deps: Deps,
) -> None:
    """Asks the shadow of whose turn it is in an agent's conversation: what it would say now.

    `request` is the conversation as the agent's own prompt has it.
    """
    declared = scope.version.flow.declared(envelope.step)
    assert isinstance(declared, AgentStep)
    spoken = declared.as_spoken(speaker)
    shadow = scope.version.shadows.get(spoken.agent)
    if shadow is None or scope.version.prompts[spoken.agent].head.retrieve is not None:
        return
    from shared.domain.agents.hand_offs import instruction, taken_over  # noqa: PLC0415

    try:
        step = instance_of(envelope.step).step
        variables = await variables_at(deps.store, scope, step, known)
        own = request_for(scope, envelope, shadow.prompt, variables, speaker)
        is_persona = speaker in declared.hand_offs
        begun = own.model_copy(update={"said": request.said})
        asked = taken_over(request, instruction(own)) if is_persona else begun
        await _ask(scope, envelope, shadow, asked, deps)
    except SegueError as error:
        _tell(envelope, error, deps)


async def _ask(
    scope: Scope, envelope: Envelope, shadow: ShadowPrompt, request: ModelRequest, deps: Deps
) -> None:
    message = _question(scope, envelope, shadow, request)
    if len(message.data) > INLINE_BYTES:
        raise ShadowTooLargeError(f"{len(message.data):,} bytes")
    await deps.bus.publish("generate", [message])


def _tell(envelope: Envelope, error: SegueError, deps: Deps) -> None:
    told = f"the shadow of step {envelope.step!r} was not asked: {error}"
    deps.telemetry.log("WARNING", told, kind="shadow", labels=envelope.labels())


class ShadowTooLargeError(SegueError):
    """Its rendered prompt is beyond what a message takes; such a step is not shadowed."""


def _question(
    scope: Scope, envelope: Envelope, shadow: ShadowPrompt, request: ModelRequest
) -> Message:
    question = ShadowQuestion(
        rollout=shadow.rollout,
        run_id=envelope.run.id,
        flow=envelope.run.flow,
        flow_version=envelope.run.version,
        budgets=envelope.run.budgets,
        step=envelope.step,
        correlation_id=envelope.run.correlation_id,
        prompt=pin_of(shadow.prompt),
        request=request,
    )
    attributes = {
        "content-type": "application/json",
        "correlationid": envelope.run.correlation_id,
        "traceparent": scope.trace.traceparent,
        SHADOW: shadow.rollout,
    }
    return Message(question.model_dump_json().encode(), attributes)
