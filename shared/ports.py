"""What the pipeline needs from the world, as Protocols; adapters and doubles implement them.

Every method may raise the Transient errors named beside it; no port retries for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from shared.domain.actions import EmailSend, HttpRequest, SlackPost
from shared.domain.agents.conversation import Said, ToolCall
from shared.domain.envelope import Message, ModelRequest
from shared.domain.model import Json
from shared.domain.prompts.refs import PromptRef
from shared.domain.records import Failure, Tokens, Usage
from shared.domain.retrieval.vectors import Embedded, EmbedRequest
from shared.domain.version import PromptVersion
from shared.stored import (
    Condition,
    Create,
    Delete,
    Document,
    Increment,
    Near,
    Nearest,
    Put,
    Query,
    Update,
    Write,
    Written,
)

__all__ = [
    "Condition",
    "Create",
    "Delete",
    "Document",
    "Increment",
    "Near",
    "Nearest",
    "Put",
    "Query",
    "Update",
    "Write",
    "Written",
]  # from here they are imported


class Store(Protocol):
    """Documents with atomic commits. Paths alternate collection and document names."""

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        """All writes or none, in order.

        Raises AlreadyExistsError or StaleError where a precondition does not hold,
        RecordTooLargeError, StoreUnavailableError. A commit whose answer was lost may have
        happened: preconditions make the repetition safe, and tell.
        """
        ...

    async def get(self, path: str) -> Document | None: ...

    async def get_many(self, paths: Sequence[str]) -> list[Document | None]:
        """In the order of `paths`."""
        ...

    async def find(self, query: Query) -> list[Document]: ...

    async def count(self, query: Query) -> int:
        """How many `find` would find, of all that was committed before the call."""
        ...

    async def nearest(self, query: Nearest) -> list[Near]:
        """The nearest first. Documents without such a vector, or with a shorter one, are left out.

        Raises IndexMissingError, StoreUnavailableError.
        """
        ...


class Bus(Protocol):
    """Topics by stage name; `events` is the entry topic."""

    async def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
        """Message ids, once the broker has taken all. Raises BusUnavailableError."""
        ...


@dataclass(frozen=True)
class ModelReply:
    """A usable answer. `model` is the version that answered.

    One that asks for tools has `calls`; `said` is then all of it, to be given back as it is.
    `refusals` is how often the model had said before that it is asked too much (429).
    """

    text: str
    tokens: Tokens
    model: str
    finish_reason: str | None = None
    calls: tuple[ToolCall, ...] = ()
    said: Said | None = None
    refusals: int = 0


@dataclass(frozen=True)
class ModelCall:
    """One request to a model within an attempt, answered or not. `asked` is the model's name.

    An error that came with an answer has both. `operation` is the API's method, as
    OpenTelemetry's conventions have it for Gemini. `cost_usd`: where tokens alone do not say it.
    """

    asked: str
    started_at: datetime
    duration_ms: float
    reply: ModelReply | None = None
    error: Failure | None = None
    provider: str | None = None
    operation: Literal["generate_content", "embeddings", "create_cached_content"] = (
        "generate_content"
    )
    cost_usd: float | None = None


class Model(Protocol):
    """A language model."""

    @property
    def provider(self) -> str:
        """Whose API it is, as OpenTelemetry's `gen_ai.provider.name` has it."""
        ...

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        """Answers within `seconds`. Waits out 429 and 503 as long as they allow.

        Raises ModelBusyError, ModelUnreachableError, ModelMalformedError, or the Permanent
        ModelRefusedError, ModelTruncatedError, ModelEmptyError, ModelRequestError. Errors that
        come with an answer carry `reply`.
        """
        ...

    def cost(self, model: str, tokens: Tokens) -> float | None:
        """USD; None where the price is not known."""
        ...

    def most_output(self, model: str) -> int | None:
        """Tokens of the longest answer that the model gives; None where that is not known."""
        ...


@dataclass(frozen=True)
class KeptContext:
    """A prefix that a model keeps: by what name, and of how many tokens."""

    name: str
    tokens: int


class ContextCaches(Protocol):
    """Where a model keeps what requests begin with: their system instruction and their tools."""

    @property
    def provider(self) -> str: ...

    async def make(self, request: ModelRequest, *, ttl: float, seconds: float) -> KeptContext:
        """Has the request's prefix kept for `ttl` seconds; answers within `seconds`.

        Raises ModelRequestError where the model keeps none like it, e.g. as it is too short, and
        what `Model.generate` raises of the network. It may be there, and billed, all the same.
        """
        ...

    def cost(self, model: str, tokens: int, seconds: float) -> float | None:
        """USD for having so many tokens kept so long; None where the price is not known."""
        ...


class ToolServers(Protocol):
    """Servers of others that have tools for models."""

    async def call(self, server: str, tool: str, args: Mapping[str, Json], key: str) -> Json:
        """What the tool returned; `key` is the same for each repetition of the call.

        Raises ToolUnknownError where no such server is declared, ToolFailedError where the server
        says so, ToolUnreachableError where nothing was sent, EffectUnavailableError where nobody
        knows whether the call was carried out.
        """
        ...


class Embedder(Protocol):
    """A model that makes vectors of texts."""

    @property
    def provider(self) -> str: ...

    async def embed(self, request: EmbedRequest, *, seconds: float) -> Embedded:
        """A vector for each text, within `seconds`; 429 and 503 are waited out.

        Raises what `Model.generate` raises of requests and the network.
        """
        ...

    def cost(self, model: str, tokens: Tokens) -> float | None: ...


class Effects(Protocol):
    """Effects outside Google Cloud. Each may raise EffectUnavailableError, ActionFailedError."""

    async def post_to_slack(self, action: SlackPost, key: str) -> Json: ...

    async def send_email(self, action: EmailSend, key: str) -> Json: ...

    async def request_http(self, action: HttpRequest, key: str) -> Json: ...


class Clock(Protocol):
    """Time. `now` is in UTC."""

    def now(self) -> datetime: ...

    async def sleep(self, seconds: float) -> None:
        """Returns when so much time has passed."""
        ...


@dataclass(frozen=True)
class StageReport:
    """One attempt of a stage at a message: what its log line says."""

    stage: str
    disposition: Literal["ack", "nack", "bury"]
    outcome: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    started_at: datetime
    duration_ms: float
    labels: Mapping[str, str]
    message_id: str
    attempt: int | None
    error: Failure | None = None
    usage: Usage | None = None
    calls: tuple[ModelCall, ...] = ()
    request_trace: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Telemetry(Protocol):
    """Where log lines go. Never raises, never blocks."""

    def report(self, report: StageReport) -> None: ...

    def log(
        self, severity: str, message: str, *, trace_id: str | None = None, **fields: Any
    ) -> None: ...

    async def flush(self) -> None:
        """Returns when what was reported is out, within a bound; never raises."""
        ...


class Objects(Protocol):
    """Whole byte strings in buckets, by name. What a name stands for never changes."""

    async def put(self, bucket: str, name: str, data: bytes) -> None:
        """Returns once the object is there, whole; one that was there already is left as it is.

        Raises ObjectsUnavailableError.
        """
        ...

    async def get(self, bucket: str, name: str) -> bytes | None:
        """The bytes, None where there is no such object. Raises ObjectsUnavailableError."""
        ...

    async def delete(self, bucket: str, name: str) -> None:
        """Returns once there is no such object. Raises ObjectsUnavailableError."""
        ...


@dataclass(frozen=True)
class Labels:
    """The numbers of the versions that labels point at. `is_all`: there are no other labels."""

    pointed: Mapping[PromptRef, int]
    is_all: bool = False


class PromptRegistry(Protocol):
    """Versions of prompts, and labels that point at them, for reading. Raises Transient errors."""

    async def pointed(self, wanted: Collection[PromptRef]) -> Labels:
        """What these labels point at, and maybe others. Labels that are not set are left out."""
        ...

    async def version(self, ref: PromptRef) -> PromptVersion | None:
        """The version that an exact reference names, None where there is none. Never changes."""
        ...


@dataclass(frozen=True)
class LogLines:
    """Log lines as stages write them, oldest first. `is_cut`: older ones were left out."""

    lines: tuple[Mapping[str, Any], ...] = ()
    is_cut: bool = False


class LogReader(Protocol):
    """Reads the log lines of one deployment. Reading may raise CloudError."""

    async def correlations(self, wanted: str, *, since: datetime) -> list[str]:
        """Correlation ids that a correlation, run, event or trace id or a dead letter is part of.

        Told from lines that are not older than `since`; the latest first, and of very many
        the latest ones.
        """
        ...

    async def attempts(
        self, correlation_ids: Sequence[str], *, since: datetime, limit: int
    ) -> LogLines:
        """The latest `limit` lines of stage attempts that have one of these correlation ids."""
        ...

    def link(self, correlation_ids: Sequence[str], *, since: datetime, until: datetime) -> str:
        """Where a browser shows every line of these correlation ids, those of user code too."""
        ...

    def trace_link(self, trace_id: str) -> str:
        """Where a browser shows the spans of a trace, if any are stored."""
        ...
