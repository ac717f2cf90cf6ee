"""Looks whether a step is still in the hands that work on it, and cuts the work off where not.

Looks seldom: work that is over before the first look costs no read.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from shared.delivery.claim import Claim, StepCancelled
from shared.delivery.deps import Deps
from shared.domain.chain import StepStatus
from shared.domain.records import StepRecord, step_path
from shared.errors import ClaimLostError, Transient
from shared.ports import Store

LOOK_EVERY = 5.0  # seconds


async def standing(store: Store, held: Claim) -> StepRecord | None:
    """The step as it has ended in these hands; None while it is unfinished, and in them.

    Raises StepCancelled, ClaimLostError.
    """
    path = step_path(held.record.run_id, held.record.step)
    found = await store.get(path)
    record = StepRecord.of(found.data) if found else None
    if record is not None and record.status is StepStatus.CANCELLED:
        raise StepCancelled(path)
    if record is None or record.owner != held.record.owner:
        raise ClaimLostError(f"step {held.record.step} of run {held.record.run_id}")
    return record if record.status.is_final else None


class Attended:
    """A block of work that ends at its next await once the step is in other hands, or in none.

    It is cut off by `deadline`, within which it must be; leaving it raises why: StepCancelled,
    ClaimLostError. Synchronous code in a thread works on, and nobody hears what it comes to.
    """

    def __init__(self, deps: Deps, held: Claim, deadline: asyncio.Timeout) -> None:
        self._deps = deps
        self._held = held
        self._deadline = deadline
        self._lost: Exception | None = None
        self._is_over = False
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LOOK_EVERY, self._begin)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over = True
        self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()
        if self._lost is not None and isinstance(error, Exception | asyncio.CancelledError):
            raise self._lost from None

    def _begin(self) -> None:
        self._looking = asyncio.get_running_loop().create_task(self._look())
        self._looking.add_done_callback(self._looked)

    async def _look(self) -> None:
        while not self._is_over:
            try:
                await standing(self._deps.store, self._held)
            except (StepCancelled, ClaimLostError) as error:
                self._cut_off(error)
                return
            except Transient:
                pass  # nothing is known, and the commit will tell
            await asyncio.sleep(LOOK_EVERY)

    def _cut_off(self, why: Exception) -> None:
        if not (self._is_over or self._deadline.expired()):
            self._lost = why
            self._deadline.reschedule(asyncio.get_running_loop().time())

    def _looked(self, task: asyncio.Task[None]) -> None:
        """A defect is told: the work itself must not suffer from it."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._deps.telemetry.log("ERROR", f"step {self._held.record.step}: {error!r}")
