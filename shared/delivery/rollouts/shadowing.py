"""Lets a candidate answer beside a step: asked by `compose`, with nothing that waits for it.

Whatever fails here is told of in the log and touches no run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.models.asking import request_for
from shared.delivery.scope import Scope, variables_of
from shared.domain.envelope import INLINE_BYTES, Envelope, Message
from shared.domain.instances import instance_of
from shared.domain.rollouts.shadows import SHADOW, ShadowQuestion
from shared.domain.step import PromptStep
from shared.domain.version import ShadowPrompt
from shared.errors import SegueError
from shared.prompting.render import pin_of


async def cast_shadow(scope: Scope, envelope: Envelope, deps: Deps) -> None:
    """Asks the shadow of the step's prompt, where the run has one."""
    declared = scope.version.flow.declared(envelope.step)
    if not isinstance(declared, PromptStep) or instance_of(envelope.step).part is not None:
        return
    shadow = scope.version.shadows.get(declared.prompt)
    if shadow is None:
        return
    try:
        variables = await variables_of(deps.store, scope, envelope)
        message = _question(scope, envelope, shadow, variables)
        if len(message.data) > INLINE_BYTES:
            raise ShadowTooLargeError(f"{len(message.data):,} bytes")
        await deps.bus.publish("generate", [message])
    except SegueError as error:
        told = f"the shadow of step {envelope.step!r} was not asked: {error}"
        deps.telemetry.log("WARNING", told, kind="shadow", labels=envelope.labels())


class ShadowTooLargeError(SegueError):
    """Its rendered prompt is beyond what a message takes; such a step is not shadowed."""


def _question(
    scope: Scope, envelope: Envelope, shadow: ShadowPrompt, variables: Mapping[str, Any]
) -> Message:
    question = ShadowQuestion(
        rollout=shadow.rollout,
        run_id=envelope.run.id,
        flow=envelope.run.flow,
        step=envelope.step,
        correlation_id=envelope.run.correlation_id,
        prompt=pin_of(shadow.prompt),
        request=request_for(scope, envelope, shadow.prompt, variables),
    )
    attributes = {
        "content-type": "application/json",
        "correlationid": envelope.run.correlation_id,
        "traceparent": scope.trace.traceparent,
        SHADOW: shadow.rollout,
    }
    return Message(question.model_dump_json().encode(), attributes)
