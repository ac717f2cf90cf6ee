"""How a run stands: running, or waiting where all that is open of it waits.

That is told from its steps each time somebody looks; no record says so. Between two steps a run
that also waits may seem to do nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from shared.delivery.deps import Deps
from shared.domain.chain import StepStatus
from shared.domain.records import RunRecord, RunStatus, StepRecord, run_path
from shared.ports import Query

_OPEN = tuple(status.value for status in StepStatus if not status.is_final)
_AT_ONCE = 20  # runs looked at together


def status_of(run: RunRecord, statuses: Iterable[StepStatus]) -> RunStatus:
    """The run's status, where `statuses` are those of its steps that have a record."""
    open_ones = {status for status in statuses if not status.is_final}
    waits = run.status is RunStatus.RUNNING and open_ones == {StepStatus.WAITING}
    return RunStatus.WAITING if waits else run.status


async def statuses_of(runs: Sequence[RunRecord], deps: Deps) -> list[RunStatus]:
    """The statuses of the runs, in order; costs a query for each that is running."""
    found: list[RunStatus] = []
    for at in range(0, len(runs), _AT_ONCE):
        found += await asyncio.gather(*(_status(run, deps) for run in runs[at : at + _AT_ONCE]))
    return found


async def _status(run: RunRecord, deps: Deps) -> RunStatus:
    if run.status is not RunStatus.RUNNING:
        return run.status
    query = Query(f"{run_path(run.run_id)}/steps", (("status", "in", list(_OPEN)),))
    steps = [StepRecord.of(found.data).status for found in await deps.store.find(query)]
    return status_of(run, steps)
