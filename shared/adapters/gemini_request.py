"""A model request in the words of Google's SDK.

Decides which parameters a prompt may set, what goes with tools, and what a billing label may look
like. Sends nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from google.genai import types
from pydantic import ValidationError

from shared.domain.agents.conversation import ToolDeclaration
from shared.domain.envelope import ModelRequest
from shared.errors import ModelRequestError

# What remains is set here (schema, labels, timeout) or would make one call answer twice.
PARAMETERS = frozenset(
    {
        "cached_content",
        "frequency_penalty",
        "max_output_tokens",
        "media_resolution",
        "presence_penalty",
        "safety_settings",
        "seed",
        "service_tier",
        "stop_sequences",
        "temperature",
        "thinking_config",
        "top_k",
        "top_p",
    }
)
_MAX_LABEL = 63


def contents_of(request: ModelRequest) -> list[types.Content]:
    """The conversation so far. Raises ModelRequestError for what is no part of one."""
    asked = [
        types.Content(role=role, parts=[types.Part(text=text)]) for role, text in request.messages
    ]
    try:
        return asked + [types.Content.model_validate(said.model_dump()) for said in request.said]
    except ValidationError as error:
        raise ModelRequestError(f"what was said cannot be sent: {_problem(error)}") from error


def config_of(request: ModelRequest, *, on_vertex: bool) -> types.GenerateContentConfig:
    """Everything but the conversation. Raises ModelRequestError naming what is wrong."""
    unknown = sorted(set(request.parameters) - PARAMETERS)
    if unknown:
        known = ", ".join(sorted(PARAMETERS))
        raise ModelRequestError(f"unknown parameter {unknown[0]!r}; there are {known}")
    fields: dict[str, Any] = {
        **request.parameters,
        # One call is one request: anything the SDK would add is neither claimed nor counted.
        "automatic_function_calling": {"disable": True},
        "automatic_continuation": False,
    }
    if request.context is not None:  # what it holds must not be sent beside it
        fields["cached_content"] = request.context
    else:
        fields |= prefix_of(request)
    # Many models refuse a schema beside tools, or loop; the answer is checked in any case.
    if request.output_schema is not None and not request.tools:
        fields["response_mime_type"] = "application/json"
        fields["response_json_schema"] = request.output_schema
    if on_vertex and request.labels:  # the Gemini API refuses labels
        fields["labels"] = billing_labels(request.labels)
    try:
        return types.GenerateContentConfig.model_validate(fields)
    except ValidationError as error:
        raise ModelRequestError(f"parameter {_problem(error)}") from error


def prefix_of(request: ModelRequest) -> dict[str, Any]:
    """What all requests of a prompt begin with: instruction and tools."""
    declared = [{"function_declarations": list(map(_declaration, request.tools))}]
    return {
        **({"system_instruction": request.system} if request.system is not None else {}),
        **({"tools": declared} if request.tools else {}),
    }


def _declaration(tool: ToolDeclaration) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters_json_schema": tool.parameters,
    }


def _problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}"


def billing_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels as Google Cloud takes them: lower case, digits, - and _; a key starts with a letter.

    Source: https://cloud.google.com/resource-manager/docs/labels-overview
    """
    sent = {_label(key).lstrip("-_0123456789"): _label(value) for key, value in labels.items()}
    return {key: value for key, value in sent.items() if key}


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:_MAX_LABEL]
