"""What a program that starts runs can meet; the class tells which, its docstring is the remedy."""

from __future__ import annotations

from shared.domain.records import Failure, RunRecord, RunStatus
from shared.errors import SegueError, UsageError


class EventRefusedError(UsageError):
    """Nothing was sent: `route` would refuse such an event."""


class FlowUnknownError(UsageError):
    """`segue flows list` shows the flows in SEGUE_PROMPTS."""


class NotStartedError(UsageError):
    """Its `where` did not hold, it takes other events, or no such flow is deployed.

    `segue flows list` shows what each flow takes. The same id will not start it: choose another.
    """


class NotConnectedError(UsageError):
    """Use it inside of `async with Segue() as segue:`."""


class NotObeyedError(SegueError, TimeoutError):
    """The command has been sent and will be obeyed; `segue show RUN` tells when it has been."""


class EventBuriedError(SegueError):
    """Nobody could process the event; see `segue dead-letters`, and redrive it there."""


class UnreachableError(SegueError):
    """Check the network, and that this login may publish to the entry topic and read Firestore.

    That takes roles/pubsub.publisher and roles/datastore.viewer.
    """


class StillRunningError(SegueError, TimeoutError):
    """Nothing was stopped by that: await it again, with this run's id from anywhere."""


class RunCancelledError(SegueError):
    """Start it again with another id, if it is still wanted."""

    def __init__(self, detail: str, run_id: str = "") -> None:
        super().__init__(detail)
        self.run_id = run_id


class RunFailedError(SegueError):
    """Remove the cause, continue the run with `segue dead-letters redrive`, and await it again."""

    def __init__(self, run_id: str, failure: Failure) -> None:
        self.run_id = run_id
        self.failure = failure
        at = f" at step {failure.step!r}" if failure.step else ""
        super().__init__(f"run {run_id} failed{at}: {failure.code}: {failure.message}")

    @property
    def code(self) -> str:
        """What went wrong, for machines: that of the run's own error."""
        return self.failure.code

    @property
    def step(self) -> str | None:
        """Where it went wrong; None where no single step did."""
        return self.failure.step


class RunRefusedError(RunFailedError):
    """It never began: correct the data, and start it with another id."""


def ending_error(run: RunRecord) -> SegueError | None:
    """What a run that has ended without success raises."""
    if run.status is RunStatus.SUCCEEDED:
        return None
    if run.status is RunStatus.CANCELLED:
        why = f": {run.error.code}: {run.error.message}" if run.error is not None else ""
        return RunCancelledError(f"run {run.run_id} was cancelled{why}", run.run_id)
    failure = run.error or Failure(code="RunFailed", message="it is not recorded why")
    kind = RunRefusedError if run.was_refused else RunFailedError
    return kind(run.run_id, failure)
