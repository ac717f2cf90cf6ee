"""What a method of a typed flow gets beside its events: the run's state, and a way to tell of its
progress. Decides nothing about the run.
"""

from __future__ import annotations

from typing import Generic

from shared.domain.run_notes import ProgressRecord, progress_path
from shared.errors import Transient
from shared.ports import Put
from shared.typed.events import ProgressEvent, fields_of, name_of
from shared.typed.state import Edit, State, StateInHand
from shared.typed.work import Work

MOST_EMITTED = 100  # progress events of one step, or of one item of it


class Context(Generic[State]):
    """Of one attempt at one step. `key` is equal on each attempt at it, and on no other step."""

    def __init__(self, work: Work, state: StateInHand[State]) -> None:
        self._work = work
        self._state = state
        self._emitted = 0
        self.run_id = work.run_id
        self.step = work.step
        self.key = work.key

    async def get(self) -> State:
        """The run's state as it is now, with this attempt's own edits: a snapshot, for one read."""
        return await self._state.read()

    def edit(self, edit: Edit[State]) -> None:
        """Has the state edited, exactly once, in the commit that records the step's success.

        `edit` is a pure function from a state to another. Where steps in parallel edit, each is
        applied to what the others have made of it, so it may be called several times.
        """
        self._state.edit(edit)

    async def emit(self, event: ProgressEvent) -> None:
        """Tells whoever follows the run; costs one write.

        The nth of a step replaces the nth of its earlier attempts. Those beyond MOST_EMITTED are
        dropped, and so is one that cannot be stored at the moment; the log says so.
        """
        n = self._emitted
        self._emitted += 1
        if n >= MOST_EMITTED:
            if n == MOST_EMITTED:
                self._warn(f"progress after the first {MOST_EMITTED} events is dropped")
            return
        record = ProgressRecord(
            run_id=self.run_id,
            step=self.step,
            n=n,
            event=name_of(type(event)),
            data=fields_of(event),
            at=self._work.clock.now(),
            expire_at=self._work.expire_at(),
        )
        try:
            path = progress_path(self.run_id, self.step, n)
            await self._work.store.commit([Put(path, record.document())])
        except Transient as error:
            self._warn(f"a progress event is dropped: {error.code}")

    def _warn(self, what: str) -> None:
        self._work.telemetry.log("WARNING", f"step {self.step!r}: {what}")
