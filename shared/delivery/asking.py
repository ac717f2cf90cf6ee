"""What a step asks of a model with a prompt: rendered, and labelled with whose question it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.delivery.scope import Scope
from shared.domain.envelope import Envelope, ModelRequest
from shared.domain.expressions import fill
from shared.domain.step import AgentStep, PromptStep
from shared.domain.version import PromptVersion
from shared.prompting.render import render


def request_for(
    scope: Scope, envelope: Envelope, prompt: PromptVersion, variables: Mapping[str, Any]
) -> ModelRequest:
    """The request. Raises TemplateError, ExpressionError, PromptInputInvalidError."""
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
            tools = tuple(scope.version.tools[one.tool].declaration() for one in declared.tools)
            return request.model_copy(update={"tools": tools})
        case PromptStep(models=(first, *others), prompt=prompt.name):
            return request.model_copy(update={"model": first, "others": tuple(others)})
        case _:
            return request
