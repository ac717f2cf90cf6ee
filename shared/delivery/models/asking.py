"""What a step asks of a model with a prompt: rendered, and labelled with whose question it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.delivery.scope import Scope
from shared.domain.envelope import Envelope, ModelRequest
from shared.domain.expressions import fill
from shared.domain.instances import instance_of
from shared.domain.step import AgentStep, PromptStep
from shared.domain.version import PromptVersion
from shared.prompting.render import render


def request_for(
    scope: Scope,
    envelope: Envelope,
    prompt: PromptVersion,
    variables: Mapping[str, Any],
    speaker: str | None = None,
) -> ModelRequest:
    """The request; of an agent's `speaker`, where it is not the step's own prompt that speaks.

    Raises TemplateError, ExpressionError, PromptInputInvalidError.
    """
    labels = {
        "segue-prompt": prompt.name,
        "segue-prompt-version": prompt.version,
        "segue-flow": envelope.run.flow,
        "segue-run": envelope.run.id,
        "segue-step": envelope.step,
    }
    declared = scope.version.flow.declared(envelope.step)
    request = render(prompt, variables, fill(declared.arguments, variables), labels)
    match declared:
        case AgentStep():
            # Loaded where a flow has agents.
            from shared.domain.agents.hand_offs import tools_for  # noqa: PLC0415

            tools = tools_for(scope.version, instance_of(envelope.step).step, speaker)
            return request.model_copy(update={"tools": tools})
        case PromptStep(models=(first, *others), prompt=prompt.name):
            return request.model_copy(update={"model": first, "others": tuple(others)})
        case _:
            return request
