"""Renders the prompt of a step and hands the request to `generate`.

What has to be searched for is searched where it is billed: such steps are handed on as they are.

Has no effect and keeps nothing: repeating it sends the same message again.
"""

from __future__ import annotations

from shared.delivery.closing import ending_of
from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.models.asking import request_for
from shared.delivery.scope import Scope, scope_of, variables_of
from shared.delivery.steps import may_have_ended
from shared.domain.envelope import (
    INLINE_BYTES,
    ActTask,
    Envelope,
    GenerateTask,
    ModelRequest,
    PromptPin,
    Task,
    decode,
)
from shared.domain.step import EmbedStep, RetrieveStep
from shared.errors import TemplateError
from shared.prompting.render import pin_of

# What the largest models take is less; an instance holds many of them, several times over each.
MAX_REQUEST_BYTES = 10_000_000


async def handle(received: Received, deps: Deps) -> Handled:
    """Sends the rendered request on.

    Raises TemplateError, ExpressionError, PromptInputInvalidError.
    """
    envelope = decode(received.delivery.message)
    received.describe(envelope.labels())
    version = await deps.flows.pinned(envelope.run.flow, envelope.run.version)
    scope = scope_of(envelope, received.delivery.message, version, received.span_id)
    reach("decoded")
    if may_have_ended(deps, scope) and await ending_of(deps.store, envelope):
        return Handled("run-ended")
    task = await _task_of(received, deps, scope, envelope)
    about = {"place": envelope.place, "resumes": envelope.resumes}
    message = scope.message(envelope.step, "generate", task, envelope.context, **about)
    await deps.bus.publish("generate", [message])
    if version.shadows:
        # Loaded where a run has a shadow.
        from shared.delivery.rollouts.shadowing import cast_shadow  # noqa: PLC0415

        await cast_shadow(scope, envelope, deps)
    reach("emitted")
    return Handled("composed")


async def _task_of(received: Received, deps: Deps, scope: Scope, envelope: Envelope) -> Task:
    if isinstance(scope.version.flow.declared(envelope.step), RetrieveStep | EmbedStep):
        return ActTask()
    prompt = scope.version.prompt(envelope.step)
    pin = pin_of(prompt)
    received.describe(pin.labels())
    if prompt.head.retrieve is not None:
        return GenerateTask(prompt=pin)
    return await _task(deps, pin, await _request(deps, scope, envelope))


async def _task(deps: Deps, pin: PromptPin, request: ModelRequest) -> GenerateTask:
    encoded = request.model_dump_json().encode()
    if len(encoded) > MAX_REQUEST_BYTES:
        told = f"{len(encoded):,} bytes; the limit is {MAX_REQUEST_BYTES:,}"
        raise TemplateError(f"the rendered prompt {pin.name} has {told}")
    if len(encoded) <= INLINE_BYTES:
        return GenerateTask(prompt=pin, request=request)
    blob = await deps.blobs.put(encoded, deps.expire_at())
    return GenerateTask(prompt=pin, blob=blob)


async def _request(deps: Deps, scope: Scope, envelope: Envelope) -> ModelRequest:
    variables = await variables_of(deps.store, scope, envelope)
    return request_for(scope, envelope, scope.version.prompt(envelope.step), variables)
