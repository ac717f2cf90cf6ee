"""A run as `segue show --json` gives it: the public shape, put together from the records."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from shared.delivery.deps import Deps
from shared.domain.chain import StepStatus
from shared.domain.records import RunRecord, StepRecord, Usage, run_path
from shared.errors import NotFoundError, VersionMissingError
from shared.ports import Query

Report = dict[str, Any]


async def report_of(run_id: str, deps: Deps) -> Report:
    """The whole run with its steps in the flow's order. Raises NotFoundError."""
    found = await deps.store.get(run_path(run_id))
    if found is None:
        raise NotFoundError(f"there is no run {run_id!r}")
    run = RunRecord.of(found.data)
    documents = await deps.store.find(Query(f"{run_path(run_id)}/steps"))
    records = {document.name: StepRecord.of(document.data) for document in documents}
    steps = {name: step_report(records.get(name)) for name in await _order(run, records, deps)}
    return {
        **summary_of(run),
        "outputs": run.outputs,
        "error": run.error.model_dump() if run.error else None,
        "redrives": run.redrives,
        "steps": steps,
        "totals": _totals(records.values()),
    }


def summary_of(run: RunRecord) -> Report:
    """A run in one row."""
    return {
        "run_id": run.run_id,
        "flow": run.flow,
        "flow_version": run.flow_version,
        "status": run.status.value,
        "correlation_id": run.correlation_id,
        "event": {"id": run.event_id, "type": run.event_type},
        "created_at": _told(run.created_at),
        "finished_at": _told(run.finished_at),
    }


def step_report(record: StepRecord | None) -> Report:
    """A step; one that nothing is recorded of is pending."""
    if record is None:
        return {"status": StepStatus.PENDING.value, "attempts": 0, "output": None, "error": None}
    usage = record.usage
    return {
        "status": record.status.value,
        "attempts": len(record.attempts),
        "output": record.output,
        "error": record.error.model_dump() if record.error else None,
        "started_at": _told(record.started_at),
        "finished_at": _told(record.finished_at),
        "prompt": record.prompt.model_dump() if record.prompt else None,
        "model": record.model,
        "tokens": {"input": usage.tokens.input, "output": usage.tokens.output},
        "cost_usd": usage.cost_usd,
        "llm_calls": usage.llm_calls,
        "ledger": [attempt.model_dump(mode="json") for attempt in record.attempts],
        **({"answers": record.answers} if record.answers else {}),
    }


async def _order(run: RunRecord, records: dict[str, StepRecord], deps: Deps) -> list[str]:
    try:
        version = await deps.flows.pinned(run.flow, run.flow_version)
    except VersionMissingError:  # what is recorded can still be shown
        return sorted(records)
    return list(version.flow.steps)


def _totals(records: Iterable[StepRecord]) -> Report:
    total = sum((record.usage for record in records), Usage())
    return {
        "llm_calls": total.llm_calls,
        "tokens": {"input": total.tokens.input, "output": total.tokens.output},
        "cost_usd": total.cost_usd,
    }


def _told(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None
