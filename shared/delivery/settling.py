"""Records how a step ended, in one commit with all that follows from it, then sends what follows.

Whoever ends a step brings the write of its result; what that means for the run is decided here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from shared.delivery.commands.holding import commit_skips
from shared.delivery.crashpoints import reach
from shared.delivery.deps import Deps
from shared.delivery.outcome import Beside
from shared.delivery.progress import REPEATED, Progress, Variables
from shared.delivery.scope import Scope
from shared.domain import chain
from shared.domain.chain import StepStatus
from shared.domain.ids import digest
from shared.domain.records import Failure, StepRecord
from shared.errors import ClaimLostError, Conflict
from shared.ports import Update, Write, Written

# Whether the step has been recorded by ourselves meanwhile, and how; None while it is unfinished.
# Raises ClaimLostError where somebody else has it.
Standing = Callable[[], Awaitable[StepRecord | None]]
Ending = Callable[[str], Update]
_TRIES = 4  # a lost answer, a reopened run and a race at once still get through
_TRIES_BESIDE = 400  # steps in parallel may all write the same beside their results
_LONGEST_WAIT = 0.5  # seconds between two of those


class Settler:
    """Ends steps of one run, in the hands of one delivery."""

    def __init__(self, deps: Deps, scope: Scope) -> None:
        self._deps = deps
        self._scope = scope
        self._flow = scope.version.flow
        self.progress = Progress(deps, scope)

    async def settle(  # noqa: PLR0913 - an end, and what belongs to its commit
        self,
        step: str,
        status: StepStatus,
        result: Write,
        known: Variables,
        standing: Standing,
        also: Sequence[Write] = (),
        *,
        beside: Beside | None = None,
    ) -> StepRecord | None:
        """Commits `result` with the skips, arrivals and the run's end that follow; sends the rest.

        `known` are the variables from here on, the step's own output among them. What is written
        `beside` the result is in its commit or nowhere. Returns the step's record where an earlier
        try had been committed after all: then nothing is sent yet.
        """
        plan = chain.advance(self._flow, step, status, known)
        ending = None
        if plan.ends:
            ending = partial(self.progress.end.write, await self.progress.at_end(known))
        writes = [result, *also, *self.progress.writes(plan)]
        written = await self._commit(writes, ending, standing, beside)
        if isinstance(written, StepRecord):
            return written
        reach("committed")
        await self.progress.end.announce()
        await self.progress.follow(plan, written, known)
        reach("emitted")
        return None

    async def record(
        self,
        result: Write,
        standing: Standing,
        also: Sequence[Write] = (),
        beside: Beside | None = None,
    ) -> StepRecord | None:
        """Commits `result`, and no more; returns what was recorded before, as `settle` does."""
        written = await self._commit([result, *also], None, standing, beside)
        return written if isinstance(written, StepRecord) else None

    async def fail_run(
        self, result: Write, failure: Failure, standing: Standing, also: Sequence[Write] = ()
    ) -> StepRecord | None:
        """Commits `result` and, while the run goes on, its end as failed; returns as `settle`."""
        ending = partial(self.progress.end.failure, failure)
        written = await self._commit([result, *also], ending, standing)
        if isinstance(written, StepRecord):
            return written
        await self.progress.end.announce()
        return None

    async def repeat(self, step: str, status: StepStatus, known: Variables) -> None:
        """Sends again what follows from a step that has ended; harmless where it was sent.

        For a run that goes on: one that was redriven had no end to be committed with the step.
        """
        plan = chain.advance(self._flow, step, status, known)
        await self.progress.follow_to_end(plan, REPEATED, known)

    async def _commit(
        self,
        writes: Sequence[Write],
        ending: Ending | None,
        standing: Standing,
        beside: Beside | None = None,
    ) -> list[Written] | StepRecord:
        """Commits the writes and, while the run goes on, its end, which it tells."""
        revision: str | None = self._scope.run.revision
        for tried in range(_TRIES if beside is None else _TRIES_BESIDE):
            end = [ending(revision)] if ending is not None and revision is not None else []
            more = await beside() if beside is not None else ()
            try:
                written = await commit_skips(self._deps.store, [*writes, *more, *end])
            except Conflict:
                record = await standing()
                if record is not None:
                    if record.owner:  # ours, as we had claimed it; else it may be anybody's
                        self._tell(end)
                    return record
                revision = await self.progress.end.open_revision()
                if beside is not None:
                    await self._make_way(tried)
            else:
                self._tell(end)
                return written
        raise ClaimLostError(f"run {self._scope.run.id} keeps changing")

    async def _make_way(self, tried: int) -> None:
        """Waits for a moment, drawn anew each time: whoever met here is not to meet again."""
        longest = min(0.01 * 2**tried, _LONGEST_WAIT)
        share = int(digest(self._deps.new_token(), length=4), 16) / 0xFFFF
        await self._deps.clock.sleep(longest * share)

    def _tell(self, end: Sequence[Update]) -> None:
        for write in end:
            self.progress.end.tell(write)
