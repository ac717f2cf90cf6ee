"""What a stage's work on a step came to: an output or an error, and what it cost either way."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.domain.envelope import PromptPin
from shared.domain.model import Json
from shared.domain.records import Tokens, Usage
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


@dataclass
class Spent:
    """What the work has used so far. Kept apart from it, so that a timeout forgets nothing."""

    usage: Usage = field(default_factory=Usage)
    prompt: PromptPin | None = None
    model: str | None = None
    answers: list[str] = field(default_factory=list)

    def begin_call(self) -> None:
        """A model is being asked; it may be billed whether or not an answer arrives."""
        self.usage += Usage(llm_calls=1)

    def bill(self, tokens: Tokens, cost_usd: float | None) -> None:
        """The answer has arrived with its bill."""
        self.usage += Usage(tokens=tokens, cost_usd=cost_usd)

    def succeeded(self, output: Json) -> Outcome:
        """The step's output; answers that did not fit are of no more interest."""
        return Outcome(output=output, usage=self.usage, prompt=self.prompt, model=self.model)

    def failed(self, error: SegueError) -> Outcome:
        """The step's error, with the answers it got."""
        return Outcome(
            error=error,
            usage=self.usage,
            prompt=self.prompt,
            model=self.model,
            answers=tuple(self.answers),
        )
