"""What is said when a run has ended that somebody must hear of: one command, which `route` obeys.

Who must hear is marked on the run when it is opened (`unheard`), and until `route` has obeyed. So
what is published here, by whoever has committed the end, is a short cut: where it is lost, `sweep`
finds the mark. Decides nothing about what hearing of it means.
"""

from __future__ import annotations

import json
from datetime import timedelta

from shared.delivery.deps import Deps
from shared.domain import ids
from shared.domain.commands import RunEnded
from shared.domain.envelope import Message
from shared.domain.flow import Flow
from shared.domain.records import RunRecord, RunStatus
from shared.domain.step import AgentStep, FlowStep
from shared.ports import Document, Query

GRACE = 30  # seconds in which the short cut may still be on its way
UNHEARD_A_TICK = 200
_SOURCE = "//segue/runs"


def must_hear(flow: Flow, status: RunStatus | None = None, *, awaited: bool) -> bool:
    """Whether somebody must hear that such a run has ended so; without a status, of any end."""
    is_hooked = flow.on_failure is not None and status in {None, RunStatus.FAILED}
    is_judged = bool(flow.judge) and status in {None, RunStatus.SUCCEEDED}
    is_undone = flow.compensates and status is not RunStatus.SUCCEEDED
    return awaited or is_hooked or is_judged or is_undone or may_leave_children(flow, status)


def may_leave_children(flow: Flow, status: RunStatus | None) -> bool:
    """Whether a run can end so while it still waits for a child, which then has to end too."""
    steps = flow.steps.values()
    agents = [step for step in steps if isinstance(step, AgentStep) and step.flows]
    if status is RunStatus.SUCCEEDED and not flow.can_outrun:  # but for agents that had to give up
        return any(step.survives or step.fallback is not None for step in agents)
    return bool(agents) or any(isinstance(step, FlowStep) and step.awaited for step in steps)


def ended_message(run: str, correlation: str, traceparent: str, redrives: int) -> Message:
    """The command; the same end of the same run gives the same one."""
    attributes = {
        "ce-id": ids.digest("run-ended", run, str(redrives)),
        "ce-type": RunEnded.type,
        "ce-source": f"{_SOURCE}/{run}",
        "correlationid": correlation,
        "traceparent": traceparent,
        "content-type": "application/json",
    }
    return Message(json.dumps({"run": run}).encode(), attributes)


async def announce(run: RunRecord, deps: Deps) -> None:
    """The run has ended. Publishes that where somebody must hear of it and has not; else nothing.

    `run` may be as it was before its end. Repeating it is harmless.
    """
    if run.unheard or run.control is not None:  # another run of its key may have its turn now
        message = ended_message(run.run_id, run.correlation_id, run.traceparent, run.redrives)
        await deps.bus.publish("events", [message])


async def announce_unheard(deps: Deps) -> int:
    """Announces ends that nobody has heard of, the oldest first; returns how many."""
    found = await _unheard(deps)
    for document in found:
        await announce(RunRecord.of(document.data), deps)
    return len(found)


async def _unheard(deps: Deps) -> list[Document]:
    since = deps.clock.now() - timedelta(seconds=GRACE)
    query = Query(
        "runs",
        (("unheard", "==", True), ("finished_at", "<=", since)),
        order_by="finished_at",
        limit=UNHEARD_A_TICK,
    )
    return await deps.store.find(query)
