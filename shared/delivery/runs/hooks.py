"""Starts the flow that another one names as `on_failure`, once for each time that a run fails.

Decides what the hook is told. Its run is opened like any other that is started by a flow's name.
"""

from __future__ import annotations

import json
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.handled import Received
from shared.delivery.runs.ending import require_fitting
from shared.domain import ids
from shared.domain.chain import StepStatus
from shared.domain.envelope import Message
from shared.domain.events import HOPS, count_in
from shared.domain.records import (
    EventRecord,
    RunRecord,
    RunStatus,
    StepRecord,
    event_path,
    step_path,
)
from shared.domain.starts.by_name import FAILED_RUN, by_name
from shared.domain.version import FlowVersion
from shared.errors import OutputTooLargeError
from shared.ports import Document


async def start_hook(_found: Document, run: RunRecord, _received: Received, deps: Deps) -> bool:
    """Publishes the event that starts the hook; the same failure gives the same event.

    The failure of a hook starts none: nobody goes round in circles.
    """
    if run.status is not RunStatus.FAILED or run.hook_of is not None:
        return True
    version = await deps.flows.pinned(run.flow, run.flow_version)
    hook = version.flow.on_failure
    if hook is not None:
        data = json.dumps(await _data(run, version, deps), ensure_ascii=False).encode()
        await deps.bus.publish("events", [Message(data, _attributes(run, hook))])
    return True


def _attributes(run: RunRecord, hook: str) -> dict[str, str]:
    return {
        **run.extensions,
        "ce-specversion": "1.0",
        "ce-id": ids.digest("on-failure", run.run_id, str(run.redrives), length=24),
        "ce-source": f"//segue/runs/{run.run_id}",
        **by_name(hook),
        FAILED_RUN: run.run_id,
        HOPS: str((count_in(run.extensions, HOPS) or 0) + 1),
        "correlationid": run.correlation_id,
        "causationid": run.event_id,
        "traceparent": run.traceparent,
        "content-type": "application/json",
    }


async def _data(run: RunRecord, version: FlowVersion, deps: Deps) -> dict[str, Any]:
    """What the hook sees as `event.data`. What does not fit is left out, and named."""
    event = await deps.store.get(event_path(run.event_key))
    read = EventRecord.of(event.data).read() if event is not None else None
    told: dict[str, Any] = {
        "run_id": run.run_id,
        "flow": run.flow,
        "flow_version": run.flow_version,
        "correlation_id": run.correlation_id,
        "error": run.error.model_dump() if run.error is not None else None,
        "event": {"id": run.event_id, "type": run.event_type, "data": read.data if read else None},
        "outputs": await _outputs(run, version, deps),
        "left_out": [],
    }
    if not _fits(told):
        told = {**told, "outputs": {}, "left_out": ["outputs"]}
    if not _fits(told):
        bare = {**told["event"], "data": None}
        told = {**told, "event": bare, "left_out": ["outputs", "event.data"]}
    return told


async def _outputs(run: RunRecord, version: FlowVersion, deps: Deps) -> dict[str, Any]:
    found = await deps.store.get_many([step_path(run.run_id, name) for name in version.flow.steps])
    records = [StepRecord.of(one.data) for one in found if one is not None]
    return {one.step: one.output for one in records if one.status is StepStatus.SUCCEEDED}


def _fits(told: dict[str, Any]) -> bool:
    try:
        require_fitting(told, "what the hook is told")
    except OutputTooLargeError:
        return False
    return True
