"""What is kept in Firestore: the public layout of runs, steps, joins and dead letters."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from shared.domain.agents.notes import AgentNote, Begun
from shared.domain.budgets.records import MoreAsked
from shared.domain.chain import StepStatus
from shared.domain.envelope import PromptPin, RunPins
from shared.domain.events import Event
from shared.domain.mapped import Mapped
from shared.domain.model import Json, Wire
from shared.domain.recording import MAX_TOLD, Failure, Record, Tokens, Usage
from shared.domain.starts.by_name import ChildRef, ParentRef
from shared.domain.starts.control import Turn
from shared.domain.waiting import Awaited

__all__ = ["MAX_TOLD", "Failure", "Record", "Tokens", "Usage"]  # from here they are imported

RETRIED = "retried"  # an attempt that failed, and that another one follows


class RunStatus(StrEnum):
    """The state of a run."""

    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in {self.SUCCEEDED, self.FAILED, self.CANCELLED}


def event_path(key: str) -> str:
    return f"events/{key}"


def run_path(run_id: str) -> str:
    return f"runs/{run_id}"


def step_path(run_id: str, step: str) -> str:
    return f"runs/{run_id}/steps/{step}"


def join_path(run_id: str, join: str) -> str:
    return f"runs/{run_id}/joins/{join}"


def flow_path(version: str) -> str:
    return f"flows/{version}"


def dead_letter_path(letter_id: str) -> str:
    return f"dead_letters/{letter_id}"


def blob_path(blob_id: str) -> str:
    return f"blobs/{blob_id}"


class EventRecord(Record):
    """`events/{key}`: the event store. `runs` are the runs it opened.

    `variants`: by rollout, the flow it got. Copies of the event get the same.
    """

    JSON_FIELDS = frozenset({"event", "variants"})

    event: Json
    type: str
    source: str
    correlation_id: str
    time: datetime
    stored_at: datetime
    message_id: str
    runs: list[str] = Field(default_factory=list)
    variants: dict[str, str] = Field(default_factory=dict)
    expire_at: datetime

    def read(self) -> Event:
        return Event.model_validate(self.event)


class RunRecord(Record):
    """`runs/{run_id}`. `deadline` is set only while the run can still miss it.

    `unheard` is set from the start where somebody must hear of its end, until they have.
    Of a flow with control by key: `control` names the key's document, `turn` is where the run
    stands there until it ends. A waiting run may begin when it is `due`; of one that has begun
    after it had to wait, it is then made sure that its first steps were sent.
    It may be the hook of a run that has failed, or undo what the steps of one have done.
    """

    # Names from outside are no field names.
    JSON_FIELDS = frozenset({"extensions", "outputs", "variants", "trials"})

    run_id: str
    flow: str
    flow_version: str
    status: RunStatus = RunStatus.RUNNING
    correlation_id: str
    event_key: str
    event_id: str
    event_type: str
    traceparent: str
    opened_by: str  # message id of the delivery that opened it: its redelivery emits again
    created_at: datetime
    finished_at: datetime | None = None
    deadline: datetime | None = None
    paused_at: datetime | None = None
    paused_by: str | None = None
    pause_reason: str | None = None
    steered_at: datetime | None = None  # when the last command to pause or resume was published
    outputs: Json = None
    error: Failure | None = None
    redrives: int = 0
    parent: ParentRef | None = None
    hook_of: str | None = None
    undoes: str | None = None
    unheard: bool = False
    control: str | None = None
    turn: Turn | None = None
    budgets: list[str] = Field(default_factory=list)  # of runs above it; it counts against them
    ticket: int | None = None  # in the order in which the runs of its key were opened
    due: datetime | None = None
    extensions: dict[str, str] = Field(default_factory=dict)
    variants: dict[str, str] = Field(default_factory=dict)  # by rollout: what it was given
    trials: dict[str, str] = Field(default_factory=dict)  # by rollout: what it is counted in
    fallback: str | None = None  # the flow that a rollout starts where it fails
    fallback_of: str | None = None  # the run that it takes the place of
    shadow_of: str | None = None  # the run beside which it goes, without effects
    judge_of: str | None = None  # the run that it judges
    expire_at: datetime

    @property
    def is_in_line(self) -> bool:
        """Whether it has not begun yet, and will when its turn comes."""
        return self.status is RunStatus.WAITING and self.turn is Turn.WAITING

    @property
    def is_paused(self) -> bool:
        """Whether nothing more begins in it until it is resumed."""
        return self.paused_at is not None and not self.status.is_final

    @property
    def was_refused(self) -> bool:
        """Opened as failed, for people to see: it never began, so no step is to blame."""
        is_blameless = self.error is None or self.error.step is None
        has_not_begun = self.finished_at == self.created_at and is_blameless
        return self.status is RunStatus.FAILED and has_not_begun

    def pins(self, revision: str) -> RunPins:
        """What messages of the run carry; `revision` is its document's."""
        return RunPins(
            id=self.run_id,
            flow=self.flow,
            version=self.flow_version,
            revision=revision,
            event_key=self.event_key,
            event_id=self.event_id,
            correlation_id=self.correlation_id,
            deadline=self.deadline,
            started_at=self.created_at,
            awaited=self.parent is not None,
            undoes=self.undoes,
            budgets=tuple(self.budgets),
            counted=bool(self.trials) or bool(self.fallback or self.shadow_of),
            shadow_of=self.shadow_of,
            judge_of=self.judge_of,
        )


class Attempt(Wire):
    """One try at a step.

    `outcome`: running, succeeded, failed, retried, deferred, released or lost.
    """

    n: int
    started_at: datetime
    finished_at: datetime | None = None
    outcome: str = "running"
    error: Failure | None = None
    usage: Usage = Usage()


class StepRecord(Record):
    """`runs/{run_id}/steps/{step}`: claim, attempt ledger and result in one document.

    An item of a mapped step has a record of its own, named e.g. `draft[17]`; `item_of` names the
    step, whose record has `mapped`. A turn or a call of an agent has one, too; what they and the
    agent note is in `agent`. One that waits has `awaited`, and `matches` where it is an
    event that it waits for.
    """

    JSON_FIELDS = frozenset({"output", "mapped", "awaited", "agent"})

    run_id: str
    flow: str
    step: str
    stage: str
    status: StepStatus = StepStatus.RUNNING
    owner: str = ""
    fence: int = 0
    lease_until: datetime | None = None
    message_id: str = ""
    delivery_attempt: int | None = None
    attempts: list[Attempt] = Field(default_factory=list)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    output: Json = None
    error: Failure | None = None
    handled: bool = False  # it has failed, and its flow says how the run goes on
    answers: list[str] = Field(default_factory=list)  # kept only when no answer fitted the schema
    prompt: PromptPin | None = None
    model: str | None = None
    cached: bool = False  # its output is an answer that was kept
    sources: list[str] = Field(default_factory=list)  # chunks that were retrieved for it
    item_of: str | None = None
    index: int | None = None
    mapped: Mapped | None = None
    awaited: Awaited | None = None
    agent: AgentNote | None = None
    matches: str | None = None  # digest of type, key and value of the event that it waits for
    child: ChildRef | None = None
    due: datetime | None = None  # when it is tried again, or has waited long enough
    held: bool = False  # by a pause: it does not begin, a map sends no more items
    held_due: datetime | None = None  # `due`, as it was before the pause
    fallback: bool = False  # its fallback has taken over
    asks: MoreAsked | None = None  # for more money than its budget has
    expire_at: datetime

    @property
    def retries(self) -> int:
        """How many tries have failed since the step began, or was last redriven."""
        outcomes = [attempt.outcome for attempt in reversed(self.attempts)]
        ends = [at for at, outcome in enumerate(outcomes) if outcome == "failed"]
        return outcomes[: ends[0] if ends else None].count(RETRIED)

    @property
    def has_parts(self) -> bool:
        """Whether others have records of their own that it stands for: items, turns, calls."""
        return self.mapped is not None or isinstance(self.agent, Begun)

    @property
    def leads_on(self) -> bool:
        """Whether it has ended and the run goes on from that."""
        return self.status in {StepStatus.SUCCEEDED, StepStatus.SKIPPED} or self.handled

    @property
    def is_open_wait(self) -> bool:
        is_of_child = self.child is not None  # a call that was approved may wait for one
        return self.status is StepStatus.WAITING and self.awaited is not None and not is_of_child

    @property
    def usage(self) -> Usage:
        total = Usage()
        for attempt in self.attempts:
            total += attempt.usage
        return total


class JoinRecord(Record):
    """`runs/{run_id}/joins/{step}`: arrivals, only ever incremented."""

    arrived: int = 0
    succeeded: int = 0


class LetterStatus(StrEnum):
    """Whether a dead letter still waits for a person."""

    OPEN = "open"
    REDRIVEN = "redriven"


class DeadLetterRecord(Record):
    """`dead_letters/{id}`: the original message with the reason it could not be processed."""

    JSON_FIELDS = frozenset({"attributes"})

    letter_id: str
    stage: str
    status: LetterStatus = LetterStatus.OPEN
    error: Failure
    attributes: dict[str, str]
    data: bytes | None = None
    blob: str | None = None  # where `data` is when it is too large for this document
    size: int
    run_id: str | None = None
    flow: str | None = None
    step: str | None = None
    correlation_id: str | None = None
    deliveries: int | None = None
    redrives: int = 0
    buried_at: datetime
    expire_at: datetime
