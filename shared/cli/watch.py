"""Follows an event through its runs until all have ended; draws nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from shared.client.routing import look_at
from shared.delivery.deps import Deps
from shared.delivery.runs.report import Report, report_of
from shared.domain.events import Event
from shared.domain.records import DeadLetterRecord, RunStatus
from shared.errors import NotFoundError

_POLL = 0.15


@dataclass(frozen=True)
class Progress:
    """How far an event has come. `runs` is None until the event is stored."""

    runs: list[Report] | None = None
    letter: DeadLetterRecord | None = None
    timed_out: bool = False

    @property
    def is_over(self) -> bool:
        return self.timed_out or self.letter is not None or self._all_ended()

    def _all_ended(self) -> bool:
        return self.runs is not None and all(RunStatus(run["status"]).is_final for run in self.runs)

    @property
    def succeeded(self) -> bool:
        return bool(self.runs) and all(run["status"] == "succeeded" for run in self.runs or ())


async def follow(event: Event, deps: Deps, *, seconds: float) -> AsyncIterator[Progress]:
    """Snapshots until the event's runs have ended, it was buried, or time is up."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        progress = await _look(event, deps)
        if not progress.is_over and asyncio.get_running_loop().time() > deadline:
            progress = Progress(progress.runs, progress.letter, timed_out=True)
        yield progress
        if progress.is_over:
            return
        await asyncio.sleep(_POLL)


async def _look(event: Event, deps: Deps) -> Progress:
    routed = await look_at(event, deps.store)
    if routed.runs is None:
        return Progress(letter=routed.letter)
    runs = []
    for run_id in routed.runs:
        try:
            runs.append(await report_of(run_id, deps))
        except NotFoundError:  # stored in the same commit; only a redrive removes it for a moment
            return Progress()
    return Progress(runs=runs)
