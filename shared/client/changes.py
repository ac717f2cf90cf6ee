"""What a run went through, told from its records: pure, and the same however often one looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.domain.chain import StepStatus
from shared.domain.model import Json
from shared.domain.records import Attempt, Failure, RunRecord, RunStatus, StepRecord
from shared.domain.run_notes import ProgressRecord
from shared.typed.events import E, name_of

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Change:
    """A step has come into a state; where `step` is None, the run itself.

    With an `event`, a step at work has told of its progress: that is the name of what it emitted,
    `data` its fields, and `read` gives it as the class that it is of.
    `attempt` counts from 1; 0 where there was none. A step that is pending is tried again, and
    `error` says why. `output` is that of a step that succeeded, the outputs of such a run.
    """

    run_id: str
    step: str | None
    status: StepStatus | RunStatus
    attempt: int = 0
    at: datetime | None = None
    output: Json = None
    error: Failure | None = None
    event: str | None = None
    data: Json = None

    @property
    def is_end(self) -> bool:
        """Whether it ends the run."""
        return isinstance(self.status, RunStatus) and self.status.is_final

    def read(self, kind: type[E]) -> E | None:
        """The progress event, where it is of this kind."""
        return kind.model_validate(self.data) if self.event == name_of(kind) else None


def of_progress(record: ProgressRecord) -> Change:
    """What a step has told of its work."""
    return Change(
        record.run_id,
        record.step,
        StepStatus.RUNNING,
        at=record.at,
        event=record.event,
        data=record.data,
    )


def of_step(record: StepRecord) -> Iterator[Change]:
    """Every state that the record tells of, in order."""
    last = len(record.attempts)
    for attempt in record.attempts:
        yield _of(record, StepStatus.RUNNING, attempt.n, attempt.started_at)
        if attempt.n < last or record.status is StepStatus.PENDING:
            yield _given_back(record, attempt)
    if record.status in {StepStatus.RUNNING, StepStatus.PENDING}:
        return
    ended = record.status.is_final
    if ended and record.awaited is not None:
        yield _of(record, StepStatus.WAITING, last, record.started_at)
    yield Change(
        record.run_id,
        record.step,
        record.status,
        last,
        record.finished_at if ended else record.started_at,
        record.output if ended else None,
        record.error if ended else None,
    )


def _of(record: StepRecord, status: StepStatus, attempt: int, at: datetime | None) -> Change:
    return Change(record.run_id, record.step, status, attempt, at)


def _given_back(record: StepRecord, attempt: Attempt) -> Change:
    at, error = attempt.finished_at, attempt.error
    pending = StepStatus.PENDING
    return Change(record.run_id, record.step, pending, attempt.n, at, error=error)


def beginning(run: RunRecord) -> Change:
    """That the run was opened."""
    return Change(run.run_id, None, RunStatus.RUNNING, at=run.created_at)


def standing(run: RunRecord) -> Change:
    """The state that the run is in; when it came into it, only an end tells."""
    if not run.status.is_final:
        return Change(run.run_id, None, run.status)
    return Change(run.run_id, None, run.status, 0, run.finished_at, run.outputs, run.error)


def in_order(changes: Iterable[Change]) -> list[Change]:
    """By time; what happened at once stays as it is."""
    return sorted(changes, key=lambda change: change.at or _LONG_AGO)
