"""Renders the prompt of a step and hands the request to `generate`.

Has no effect and keeps nothing: repeating it sends the same message again.
"""

from __future__ import annotations

from shared.delivery.blobs import put_blob
from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.scope import Scope, scope_of, variables_of
from shared.delivery.steps import has_ended
from shared.domain.envelope import INLINE_BYTES, Envelope, GenerateTask, ModelRequest, decode
from shared.domain.expressions import fill
from shared.prompting.render import pin_of, render


async def handle(received: Received, deps: Deps) -> Handled:
    """Sends the rendered request on. Raises TemplateError, ExpressionError, InputInvalidError."""
    envelope = decode(received.delivery.message)
    received.describe(envelope.labels())
    version = await deps.flows.pinned(envelope.run.flow, envelope.run.version)
    scope = scope_of(envelope, received.delivery.message, version, received.span_id)
    reach("decoded")
    if envelope.run.is_overdue(deps.clock.now()) and await has_ended(deps, envelope):
        return Handled("run-ended")
    request = await _request(deps, scope, envelope)
    pin = pin_of(version.prompt(envelope.step))
    received.describe({}, prompt=pin.name, prompt_version=pin.version)
    encoded = request.model_dump_json().encode()
    if len(encoded) <= INLINE_BYTES:
        task = GenerateTask(prompt=pin, request=request)
    else:
        blob = await put_blob(deps.store, encoded, deps.expire_at())
        task = GenerateTask(prompt=pin, blob=blob)
    message = scope.message(envelope.step, "generate", task, envelope.context)
    await deps.bus.publish("generate", [message])
    reach("emitted")
    return Handled("composed")


async def _request(deps: Deps, scope: Scope, envelope: Envelope) -> ModelRequest:
    variables = await variables_of(deps.store, scope, envelope.context)
    step = scope.version.flow.steps[envelope.step]
    prompt = scope.version.prompt(envelope.step)
    labels = {
        "segue-prompt": prompt.name,
        "segue-prompt-version": prompt.version,
        "segue-flow": envelope.run.flow,
        "segue-run": envelope.run.id,
        "segue-step": envelope.step,
    }
    return render(prompt, variables, fill(step.arguments, variables), labels)
