"""What a stage's work on a step came to: an output or an error, and what it cost either way."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.domain.envelope import PromptPin
from shared.domain.model import Json
from shared.domain.records import Usage
from shared.errors import SegueError


@dataclass(frozen=True)
class Outcome:
    """`error` is None where the step succeeded with `output`."""

    output: Json = None
    error: SegueError | None = None
    usage: Usage = field(default_factory=Usage)
    prompt: PromptPin | None = None
    model: str | None = None
    answers: tuple[str, ...] = ()
