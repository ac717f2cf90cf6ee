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


def status_of(run: RunRecord, steps: Iterable[StepRecord]) -> RunStatus:
    """The run's status, where `steps` are what is recorded of its steps.

    An agent does what its turns and calls do, where any of them is open.
    """
    known = [step for step in steps if not step.status.is_final]
    of_agents = {step.item_of for step in known if step.item_of is not None}
    stood_for = {step.step for step in known if step.agent is not None} & of_agents
    open_ones = {step.status for step in known if step.step not in stood_for}
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
    steps = [StepRecord.of(found.data) for found in await deps.store.find(query)]
    return status_of(run, steps)
