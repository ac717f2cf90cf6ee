"""Lets an attempt at a step have texts embedded: when the model's quota does, within its budget."""

from __future__ import annotations

from shared.delivery.budgets.purse import purse_of
from shared.delivery.deps import Deps
from shared.delivery.models.admission import Admission
from shared.delivery.steps import StepTask
from shared.domain.model_calls.quotas import Wanted
from shared.domain.retrieval.vectors import EmbedRequest
from shared.errors import ModelBusyError, SegueError

_SHARE = 1 / 3  # of the step's time that may be spent waiting


class Permit:
    """What embedding asks first, and tells what became of it. Each step has its own."""

    def __init__(self, task: StepTask, deps: Deps) -> None:
        self._task = task
        self._deps = deps
        self._admission = Admission(deps, task, task.seconds * _SHARE)

    async def ask(self, request: EmbedRequest) -> None:
        """Raises what a quota and a budget say: StepDeferred, BudgetExceededError and others."""
        purse = await purse_of(self._task, self._deps)
        await self._admission.admit(Wanted.embedded(request))
        if purse is not None:
            await purse.reserve_embedding(request)

    async def answered(self, request: EmbedRequest, refusals: int) -> None:
        if refusals:
            await self._admission.refused(request.model)

    async def failed(self, request: EmbedRequest, error: SegueError) -> None:
        if error.refusals or isinstance(error, ModelBusyError):
            await self._admission.refused(request.model)


def permitted(task: StepTask, deps: Deps) -> None:
    """Has whatever the attempt embeds ask its step's permit."""
    if task.spent.permit is None:
        task.spent.permit = Permit(task, deps)
