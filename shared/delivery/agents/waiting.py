"""What a call of a tool waits for, told as if its flow declared it. Decides nothing."""

from __future__ import annotations

from shared.domain.flow import Flow
from shared.domain.instances import instance_of
from shared.domain.records import StepRecord
from shared.domain.step import AgentStep
from shared.domain.waiting import ForApproval, ForOutcome
from shared.ports import Document


def calls_tool(flow: Flow, name: str) -> bool:
    """Whether such a name is that of a call of a tool, which may wait for a person."""
    instance = instance_of(name)
    return instance.is_call and isinstance(flow.steps.get(instance.step), AgentStep)


def wait_of(found: Document | None) -> ForApproval | None:
    """What a call waits for, as if it were declared; None where it never waited."""
    awaited = None if found is None else StepRecord.of(found.data).awaited
    if awaited is None:
        return None
    kind = ForOutcome if awaited.what == "outcome" else ForApproval
    return kind.model_validate({"for": "approval", "approvers": awaited.approvers})
