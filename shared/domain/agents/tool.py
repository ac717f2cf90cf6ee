"""A tool as models are told of it and runs are pinned to it. Knows nothing of the function."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.domain.agents.conversation import ToolDeclaration
from shared.domain.model import Json, Wire

PYTHON = "python"
MCP = "mcp:"  # followed by the server's name
# As Vertex AI takes them: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/Tool
NAME = r"[a-zA-Z_][a-zA-Z0-9_.-]{0,62}"

Effect = Literal["pure", "keyed", "probe", "unsafe"]


class ToolVersion(Wire):
    """One version of a tool. `parameters` and `result` are JSON Schemas.

    `effect` says what may be done where nobody knows whether a call has happened: `pure` and
    `keyed` ones are made again, a `probe` one is asked about, an `unsafe` one waits for a person.
    """

    name: str = Field(pattern=f"^{NAME}$")
    description: str
    parameters: dict[str, Json]
    result: dict[str, Json] = Field(default_factory=dict)
    effect: Effect = "unsafe"
    source: str = PYTHON

    def declaration(self) -> ToolDeclaration:
        """What a model is told."""
        return ToolDeclaration(
            name=self.name, description=self.description, parameters=self.parameters
        )
