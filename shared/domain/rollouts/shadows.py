"""What a shadow is asked, and how its answer compares: `comparisons/{id}`.

The question is no stage message: whatever becomes of it, no step is failed by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from shared.domain.agents.conversation import ToolCall
from shared.domain.envelope import ModelRequest, PromptPin
from shared.domain.ids import digest
from shared.domain.model import Json, Wire
from shared.domain.recording import Failure, Record, Tokens

COMPARISONS = "comparisons"


def comparison_path(rollout: str, run_id: str, step: str | None = None) -> str:
    return f"{COMPARISONS}/{digest(rollout, run_id, step or '', length=24)}"


class ShadowQuestion(Wire):
    """Asks the model what a candidate would have answered for a step.

    `flow_version` says what the flow may spend in a day, `budgets` what those above it may; a
    deployment that did not know of that left them out.
    """

    rollout: str
    run_id: str
    flow: str
    flow_version: str = ""
    budgets: tuple[str, ...] = ()
    step: str
    correlation_id: str
    prompt: PromptPin
    request: ModelRequest


def calls_told(calls: Iterable[ToolCall]) -> Json:
    """What a turn of an agent has come to that asks for calls: these, and nothing of their ids."""
    return {"calls": [{"name": call.name, "args": call.args} for call in calls]}


class Side(Wire):
    """What one of the two came to, and what that took."""

    version: str
    model: str | None = None
    output: Json = None
    error: Failure | None = None
    tokens: Tokens = Tokens()
    cost_usd: float | None = None
    seconds: float | None = None


class ComparisonRecord(Record):
    """`comparisons/{id}`: the shadow of a step, or of a run. `open` until both have ended.

    `skipped`: the candidate was not asked, or not to the end; its error says why.
    """

    JSON_FIELDS = frozenset({"candidate", "usual"})

    rollout: str
    run_id: str
    step: str | None = None
    shadow_run: str | None = None  # of a flow: the run that was its shadow
    variant: str
    candidate: Side
    usual: Side | None = None
    equal: bool | None = None
    open: bool = True
    skipped: bool = False
    at: datetime
    expire_at: datetime

    def with_usual(self, usual: Side) -> ComparisonRecord:
        """Both have ended. They are equal where both have succeeded with the same output."""
        succeeded = usual.error is None and self.candidate.error is None
        equal = succeeded and usual.output == self.candidate.output
        return self.model_copy(update={"usual": usual, "equal": equal, "open": False})
