"""What a stage's work on a step came to: an output or an error, and what it cost either way."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.domain.agents.notes import AgentNote
from shared.domain.envelope import PromptPin
from shared.domain.model import Json
from shared.domain.records import Failure, Tokens, Usage
from shared.errors import SegueError
from shared.ports import ContextCaches, Embedder, Model, ModelCall, ModelReply, Write

if TYPE_CHECKING:
    from shared.delivery.budgets.purse import Purse  # which is told by this what was spent
    from shared.delivery.retrieval.permits import Permit

# Writes that are to be committed with a step's result; asked for at each try of that commit, as
# what they hold may depend on what others have written since.
Beside = Callable[[], Awaitable[Sequence[Write]]]


@dataclass(frozen=True)
class Outcome:
    """`error` is None where the step succeeded with `output`.

    `also` is written with whatever is recorded of the attempt.
    """

    output: Json = None
    error: SegueError | None = None
    usage: Usage = field(default_factory=Usage)
    prompt: PromptPin | None = None
    model: str | None = None
    answers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    beside: Beside | None = None
    also: tuple[Write, ...] = ()
    note: AgentNote | None = None
    cached: bool = False

    @property
    def told(self) -> dict[str, Any]:
        """What the log line of the attempt says of it beside its bill."""
        cached = {"cached": True} if self.cached else {}
        return cached | ({"sources": list(self.sources)} if self.sources else {})


@dataclass
class Asked:
    """A request on its way to a model; whoever asks sets the reply."""

    reply: ModelReply | None = None
    error: Failure | None = None
    cost_usd: float | None = None  # where it is not what the reply's tokens cost


@dataclass
class Spent:
    """What the work has used so far. Kept apart from it, so that a timeout forgets nothing.

    `calls` are the requests to models that are over, answered or not. `sources` are the chunks
    that were retrieved, None where nothing was searched for. `settling` gives the writes that
    belong to whatever is recorded of the attempt: what it has spent of a budget, by its `purse`.
    `permit` is asked before anything is embedded.
    """

    usage: Usage = field(default_factory=Usage)
    prompt: PromptPin | None = None
    model: str | None = None
    answers: list[str] = field(default_factory=list)
    calls: list[ModelCall] = field(default_factory=list)
    sources: list[str] | None = None
    beside: Beside | None = None
    cached: bool = False  # the output is one that was kept
    settling: Callable[[], Sequence[Write]] = tuple
    purse: Purse | None = None
    permit: Permit | None = None
    note: AgentNote | None = None

    def put_beside(self, beside: Beside) -> None:
        """Has these writes committed with the step's result, if it succeeds."""
        self.beside = beside

    @contextmanager
    def asking(self, model: Model, name: str, now: Callable[[], datetime]) -> Iterator[Asked]:
        """A model is being asked; it may be billed whether or not an answer arrives."""
        self.usage += Usage(llm_calls=1)
        self.model = name
        with self._calling(model.provider, name, now) as asked:
            yield asked

    @contextmanager
    def embedding(
        self, embedder: Embedder, name: str, now: Callable[[], datetime]
    ) -> Iterator[Asked]:
        """Texts are being embedded: billed like a question to a model, and not counted as one."""
        with self._calling(embedder.provider, name, now, operation="embeddings") as asked:
            yield asked

    @contextmanager
    def keeping(
        self, contexts: ContextCaches, name: str, now: Callable[[], datetime]
    ) -> Iterator[Asked]:
        """A model is being told what to keep: billed like a question, and not counted as one."""
        about: dict[str, Any] = {"operation": "create_cached_content"}
        with self._calling(contexts.provider, name, now, **about) as asked:
            yield asked

    @contextmanager
    def _calling(
        self, provider: str, name: str, now: Callable[[], datetime], **about: Any
    ) -> Iterator[Asked]:
        asked, started = Asked(), now()
        try:
            yield asked
        except SegueError as error:
            asked.reply, asked.error = error.reply, Failure.of(error)
            raise
        except BaseException as error:
            asked.error = _cut_off(error)
            raise
        finally:
            took = (now() - started).total_seconds() * 1000
            about = {"provider": provider, "cost_usd": asked.cost_usd, **about}
            call = ModelCall(name, started, took, asked.reply, asked.error, **about)
            self.calls.append(call)

    def bill(self, tokens: Tokens, cost_usd: float | None) -> None:
        """The answer has arrived with its bill."""
        self.usage += Usage(tokens=tokens, cost_usd=cost_usd)

    def succeeded(self, output: Json) -> Outcome:
        """The step's output; answers that did not fit are of no more interest."""
        return Outcome(
            output=output,
            usage=self.usage,
            prompt=self.prompt,
            model=self.model,
            sources=tuple(self.sources or ()),
            beside=self.beside,
            cached=self.cached,
            also=tuple(self.settling()),
            note=self.note,
        )

    def failed(self, error: SegueError) -> Outcome:
        """The step's error, with the answers it got."""
        return Outcome(
            error=error,
            usage=self.usage,
            prompt=self.prompt,
            model=self.model,
            answers=tuple(self.answers),
            also=tuple(self.settling()),
            sources=tuple(self.sources or ()),
        )


def _cut_off(error: BaseException) -> Failure:
    """Why a request has no answer, where it was none of Segue's own errors that ended it."""
    if isinstance(error, CancelledError):
        return Failure(code="Cancelled", message="the attempt was cut off before an answer came")
    return Failure(code=type(error).__name__, message=str(error) or repr(error))
