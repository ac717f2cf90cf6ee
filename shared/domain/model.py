"""The two pydantic bases of all that is stored, sent or read from a file: frozen, checked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue

Json = JsonValue


class Wire(BaseModel):
    """Crosses a process. Unknown fields are let through so that a newer sender can be read."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Declared(BaseModel):
    """Written by a person. Unknown keys are refused: a typo must not be silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")
