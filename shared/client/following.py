"""What is new of one run since the last look, each state of a step once.

Reads only declared steps that have not ended, so that a look costs less the further a run is.
"""

from __future__ import annotations

import asyncio

from shared.client import changes
from shared.client.changes import Change
from shared.client.listening import Listener, tells_of_progress
from shared.client.sending import Ports
from shared.domain.records import RunRecord, StepRecord, step_path

STEPS_PER_SECOND = 20  # documents of steps read for one run, on average


class Follower:
    """Of one run, in the hands of one who follows it."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._steps: list[str] | None = None  # those that may still change
        self._told: set[tuple[str | None, str, int]] = set()
        self._standing: Change | None = None  # the run's state at the last look
        self._redrives = 0
        self._steps_due = 0.0
        self._listener: Listener | None = None  # where steps may tell of their progress

    async def news(self, run: RunRecord) -> list[Change]:
        """In order of time; the end of the run comes last.

        Raises VersionMissingError, StoreUnavailableError; what was not told then is told later.
        """
        steps = await self._of_steps(run)
        began, before = [], self._standing
        if before is None:
            before = changes.beginning(run)
            began = [] if run.was_refused else [before]
        self._standing = changes.standing(run)
        changed = [self._standing] if self._standing.status != before.status else []
        return [*began, *steps, *changed] if run.status.is_final else [*began, *changed, *steps]

    async def _of_steps(self, run: RunRecord) -> list[Change]:
        clock = asyncio.get_running_loop().time()
        if clock < self._steps_due and not run.status.is_final:
            return []
        names = await self._unfinished(run)
        found = await self._ports.store.get_many([step_path(run.run_id, name) for name in names])
        heard = await self._listener.news() if self._listener is not None else []
        self._steps_due = clock + len(names) / STEPS_PER_SECOND
        records = [StepRecord.of(document.data) for document in found if document is not None]
        ended = {record.step for record in records if record.status.is_final}
        self._steps = [name for name in names if name not in ended]
        states = [change for record in records for change in changes.of_step(record)]
        told = [change for change in states if self._tell(change)]
        return changes.in_order([*told, *heard])

    async def _unfinished(self, run: RunRecord) -> list[str]:
        if self._steps is None or run.redrives > self._redrives:  # what had failed may go on
            version = await self._ports.flows.pinned(run.flow, run.flow_version)
            self._steps = list(version.flow.steps)
            if self._listener is None and tells_of_progress(version.flow):
                self._listener = Listener(self._ports.store, run.run_id)
            self._redrives = run.redrives
        return self._steps

    def _tell(self, change: Change) -> bool:
        key = (change.step, change.status.value, change.attempt)
        is_new = key not in self._told
        self._told.add(key)
        return is_new
