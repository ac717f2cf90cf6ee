"""Runs as `segue runs --json` gives them, and the console: one row each, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.runs.report import Report, summary_of
from shared.delivery.runs.standing import statuses_of
from shared.domain.records import RunRecord, RunStatus
from shared.ports import Query

MOST_RUNS = 1000  # told at once; also looked at for those that wait
_GOING = (RunStatus.RUNNING, RunStatus.WAITING)


async def runs_of(
    deps: Deps,
    *,
    flow: str | None = None,
    status: RunStatus | None = None,
    since: datetime | None = None,
    limit: int = MOST_RUNS,
) -> list[Report]:
    """The newest runs of a flow, in a state, opened since then; at most `limit`."""
    wanted: list[tuple[Any, Any, Any]] = []
    wanted += [("flow", "==", flow)] if flow else []
    going = status in _GOING  # which of the two, its steps tell
    recorded = _GOING if going else [status] if status else []
    wanted += [("status", "in", [one.value for one in recorded])] if recorded else []
    wanted += [("created_at", ">=", since)] if since else []
    most = MOST_RUNS if going else limit
    query = Query("runs", tuple(wanted), order_by="created_at", descending=True, limit=most)
    found = [RunRecord.of(one.data) for one in await deps.store.find(query)]
    pairs = zip(found, await statuses_of(found, deps), strict=True)
    told = [summary_of(run, now) for run, now in pairs if status in {None, now}]
    return told[:limit]
