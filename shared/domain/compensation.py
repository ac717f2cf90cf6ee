"""What a step can say of how it is undone. When that happens is decided in `undoing`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.domain.durations import Seconds
from shared.domain.model import Declared, Json
from shared.domain.retry import Retry


class Compensation(Declared):
    """Undoes a step that has succeeded, where its run fails or is cancelled."""

    prompt: str | None = Field(None, description="A prompt that is asked.")
    action: str | None = Field(None, description="An effect outside that undoes the step's.")
    call: str | None = Field(None, description="A registered function that undoes the step.")
    arguments: dict[str, Json] = Field(
        default_factory=dict,
        alias="with",
        description="Values or templates; they see the step's own output by its name, too, and of"
        " a mapped step `item`, `index` and the item's output.",
    )
    timeout: Seconds | None = Field(None, description="It fails when it works longer.")
    retry: Retry | None = Field(None, description="How often it is tried, and when again.")
    on_error: Literal["fail", "continue"] = Field(
        "fail",
        description="What its failure does: the rest waits until it is redriven, or goes on.",
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set & {"prompt", "action", "call"}) != 1:
            raise ValueError("a compensation is exactly one of: prompt, action, call")
        return self
