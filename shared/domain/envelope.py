"""What travels between stages, and its codec.

The run's context rides along, so a step in a chain reads nothing; values too large to ride are
named instead and read from where they are stored (claim check, Hohpe & Woolf 2003).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from shared.domain.agents.conversation import Said, ToolCall, ToolDeclaration
from shared.domain.events import REDRIVE, count_in
from shared.domain.model import Json, Wire
from shared.errors import MessageInvalidError

INLINE_BYTES = 256 * 1024
SHADOW = "segue-shadow"  # attribute: the rollout whose shadow is asked; no step waits for it


@dataclass(frozen=True)
class Message:
    """Bytes and attributes, as Pub/Sub carries them."""

    data: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def redrives(self) -> int:
        return count_in(self.attributes, REDRIVE) or 0


@dataclass(frozen=True)
class Delivery:
    """One delivery of a message. `attempt` is None where the broker does not count."""

    message: Message
    message_id: str
    published_at: datetime
    subscription: str
    attempt: int | None = None


class RunPins(Wire):
    """The run a message belongs to and what that run is pinned to."""

    id: str
    flow: str
    version: str
    revision: str  # of the run's document when it was opened: the precondition of its end
    event_key: str
    event_id: str
    correlation_id: str
    deadline: datetime | None = None
    started_at: datetime | None = None  # None: opened by a deployment that did not say
    awaited: bool = False  # a step of another run waits for it
    undoes: str | None = None  # the run whose steps it undoes
    budgets: tuple[str, ...] = ()  # of the runs above it, which its model calls count against
    counted: bool = False  # a rollout has to hear of its end
    shadow_of: str | None = None  # the run beside which it goes, without effects
    judge_of: str | None = None  # the run that it judges

    @property
    def is_apart(self) -> bool:
        """Whether what it spends must not be missing to the runs above it."""
        return self.shadow_of is not None or self.judge_of is not None

    def is_overdue(self, now: datetime) -> bool:
        """Whether the run may have timed out: then its record is worth a read."""
        return self.deadline is not None and now >= self.deadline

    def labels(self) -> dict[str, str]:
        """What every log line about this run is labelled with."""
        return {
            "correlation_id": self.correlation_id,
            "event_id": self.event_id,
            "run_id": self.id,
            "flow": self.flow,
            "flow_version": self.version,
        }


class Context(Wire):
    """Outputs of finished steps and the event, by variable name."""

    inline: dict[str, Json] = Field(default_factory=dict)
    stored: tuple[str, ...] = ()


class ComposeTask(Wire):
    """Render the step's prompt."""

    kind: Literal["compose"] = "compose"


class PromptPin(Wire):
    """The prompt behind a model call."""

    name: str
    version: str
    variant: str | None = None

    def labels(self) -> dict[str, str]:
        """What log lines about a step of this prompt are labelled with."""
        variant = {"prompt_variant": self.variant} if self.variant is not None else {}
        return {"prompt": self.name, "prompt_version": self.version, **variant}


class ModelRequest(Wire):
    """What the model is asked. `messages` are (role, text) with role user or model.

    `said` is what an agent's conversation has come to since. `others` are asked where `model` is
    not well. `keep_for`: so many seconds its answer may be given to equal requests. `context_for`:
    so many seconds the model may keep what it begins with; `context` names what holds that.
    """

    model: str
    messages: tuple[tuple[Literal["user", "model"], str], ...]
    system: str | None = None
    parameters: dict[str, Json] = Field(default_factory=dict)
    output_schema: dict[str, Json] | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    tools: tuple[ToolDeclaration, ...] = ()
    said: tuple[Said, ...] = ()
    others: tuple[str, ...] = ()
    keep_for: float | None = None
    context_for: float | None = None
    context: str | None = None


class GenerateTask(Wire):
    """Ask the model. The request rides along or, where it is large, is stored under `blob`.

    Neither: an agent's conversation goes on, which is told from the records of its turns; or it is
    rendered where it is asked, with what is retrieved for it. `speaker` tells of an agent with
    personas whose turn it is; the records of its turns decide.
    """

    kind: Literal["generate"] = "generate"
    prompt: PromptPin
    request: ModelRequest | None = None
    blob: str | None = None
    speaker: str | None = None


class ActTask(Wire):
    """Carry out the step as it is declared: its action, call, search or embedding; or the `call`
    of a tool that an agent asks for.

    is_repeated: the agent asks for the same once too often; it is told so instead. is_patient:
    nobody takes the call over before its lease has passed, as whoever made it may still do so.
    speaker: who asks for it, where the agent has personas.
    """

    kind: Literal["act"] = "act"
    call: ToolCall | None = None
    is_repeated: bool = False
    is_patient: bool = False
    speaker: str | None = None


Task = Annotated[ComposeTask | GenerateTask | ActTask, Field(discriminator="kind")]


class Place(Wire):
    """Where an item stands: of how many, and which one is sent when it has ended."""

    size: int
    next: int | None = None


class Envelope(Wire):
    """A step handed to a stage, or an item of one: then `step` is its name, e.g. `draft[17]`.

    `id` is derived: sent twice, it is the same message.
    """

    v: Literal[1] = 1
    id: str
    cause: str
    run: RunPins
    step: str
    context: Context = Context()
    task: Task
    place: Place | None = None  # of an item
    resumes: int = 0  # how many attempts had been put off when it was sent: not from a first one

    def encode(self) -> bytes:
        return self.model_dump_json().encode()

    def labels(self) -> dict[str, str]:
        """What every log line about this step is labelled with."""
        prompt = self.task.prompt if isinstance(self.task, GenerateTask) else None
        call = self.task.call if isinstance(self.task, ActTask) else None
        speaker = None if isinstance(self.task, ComposeTask) else self.task.speaker
        return {
            **self.run.labels(),
            "step": self.step,
            **(prompt.labels() if prompt else {}),
            **({"tool": call.name} if call else {}),
            **({"speaker": speaker} if speaker else {}),
        }


def decode(message: Message) -> Envelope:
    """The envelope in a stage message. Raises MessageInvalidError."""
    try:
        return Envelope.model_validate_json(message.data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise MessageInvalidError(f"{where}: {first['msg']}") from error


def context_of(values: Mapping[str, Any], *, room: int = INLINE_BYTES) -> Context:
    """A context that fits: the largest values are named, the rest ride along."""
    sizes = {name: _size(value) for name, value in values.items()}
    inline = dict(values)
    stored: list[str] = []
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if sum(sizes[other] for other in inline) <= room:
            break
        del inline[name]
        stored.append(name)
    return Context(inline=inline, stored=tuple(sorted(stored)))


def _size(value: Any) -> int:
    return len(Context(inline={"": value}).model_dump_json().encode())
