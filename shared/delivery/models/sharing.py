"""Whose share of a quota the calls of a step are taken from: its flow's, or its key's."""

from __future__ import annotations

from shared.delivery.deps import Deps
from shared.delivery.scope import load
from shared.delivery.steps import StepTask
from shared.domain.model_calls.fairness import flow_sharer, sharer_of
from shared.domain.model_calls.quotas import Quota
from shared.errors import ExpressionError


class Sharing:
    """The share of one attempt at a step."""

    def __init__(self, task: StepTask, deps: Deps) -> None:
        self._task = task
        self._deps = deps

    async def of(self, quota: Quota) -> str:
        """Names the sharer. A key that cannot be told is its flow's: no call fails by that."""
        scope, variables = self._task.scope, self._task.variables
        flow = scope.version.flow
        if quota.fair == "flow":
            return flow_sharer(flow)
        if "event" not in variables:  # an agent's later turns bring nothing along
            variables = {**variables, **await load(self._deps.store, scope, ["event"])}
        try:
            return sharer_of(quota, flow, variables)
        except ExpressionError as error:
            told = f"flow {flow.flow} shares its quota as a whole: {error.detail}"
            self._deps.telemetry.log("WARNING", told)
            return flow_sharer(flow)
