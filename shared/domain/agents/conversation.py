"""What is said between an agent's turns: a model's answers whole, calls of tools, their results.

Decides only the form. Parts are kept as the model's API has them, so that what came with a call
(its id, a thought signature) goes back with it.
"""

from __future__ import annotations

from typing import Literal

from shared.domain.model import Json, Wire


class ToolDeclaration(Wire):
    """A function that a model may ask for. `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Json]


class ToolCall(Wire):
    """A function that a model has asked for. `id` is the model's own, where it gave one."""

    name: str
    args: dict[str, Json]
    id: str | None = None


class Said(Wire):
    """One contribution to a conversation: its parts as Vertex AI's REST API writes them.

    Source: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/Content
    """

    role: Literal["user", "model"]
    parts: tuple[dict[str, Json], ...]
