"""Asks for one answer: of a model that is well, within the budget, when its quota lets it.

Whoever asks models does so by this, so that all calls are billed, held for and admitted alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.delivery.budgets.purse import Purse, purse_of
from shared.delivery.deps import Deps
from shared.delivery.models.admission import Admission
from shared.delivery.models.breakers import Breakers
from shared.delivery.steps import StepTask
from shared.domain.envelope import ModelRequest
from shared.domain.model_calls.quotas import Wanted
from shared.errors import (
    ModelBusyError,
    ModelMalformedError,
    ModelRequestError,
    ModelUnreachableError,
    SegueError,
)
from shared.ports import Model, ModelReply

if TYPE_CHECKING:
    from shared.delivery.models.contexts import Contexts

_UNHEALTHY = (ModelBusyError, ModelMalformedError, ModelUnreachableError)


class Caller:
    """The model calls of one attempt at a step. What they cost is in the task's `spent`."""

    def __init__(self, task: StepTask, deps: Deps, model: Model, seconds: float) -> None:
        self._task = task
        self._deps = deps
        self._model = model
        self._seconds = seconds
        self._breakers = Breakers(deps)
        self._admission = Admission(deps, task, seconds / 3)
        self._asking = ""  # whom; a budget may have chosen another than was wanted

    async def ask(self, request: ModelRequest) -> ModelReply:
        """The answer of the first model of the request's chain that gives one.

        Raises what the model raises, and what a budget or a quota says.
        """
        models = await self._breakers.order([request.model, *request.others])
        for at, model in enumerate(models):
            left, self._asking = len(models) - at, model
            asked = request.model_copy(update={"model": model, "others": ()})
            try:
                reply = await self._once(asked, self._seconds / min(left, 2))
            except _UNHEALTHY:
                if request.others:
                    await self._breakers.failed(self._asking)
                if left == 1:
                    raise
            else:
                await self._breakers.answered(self._asking)
                return reply
        raise AssertionError("a chain has at least one model")

    async def _once(self, request: ModelRequest, seconds: float) -> ModelReply:
        purse = await purse_of(self._task, self._deps)
        await self._admission.admit(Wanted.of(request))
        request = await self._with_context(request, purse, seconds)
        if purse is not None:
            held = await purse.reserve(request)
            if held.model != request.model:
                await self._admission.admit(Wanted.of(held))
                held = held.model_copy(update={"context": None})
            request = held
        return await self._send(request, seconds)

    async def _with_context(
        self, request: ModelRequest, purse: Purse | None, seconds: float
    ) -> ModelRequest:
        """The request by what the model keeps of it, if its prompt has that kept."""
        if request.context_for is None:
            return request
        name = await self._contexts(seconds).find(request, purse)
        return request.model_copy(update={"context": name})

    async def _send(self, request: ModelRequest, seconds: float) -> ModelReply:
        """A request that is refused with what the model keeps is sent again, whole."""
        try:
            return await self._asked(request, seconds)
        except ModelRequestError:
            if request.context is None:
                raise
        reply = await self._asked(request.model_copy(update={"context": None}), seconds)
        await self._contexts(seconds).lost(request)
        return reply

    def _contexts(self, seconds: float) -> Contexts:
        # Loaded where a prompt has a context kept.
        from shared.delivery.models.contexts import Contexts  # noqa: PLC0415

        return Contexts(self._task, self._deps, seconds)

    async def _asked(self, request: ModelRequest, seconds: float) -> ModelReply:
        spent, self._asking = self._task.spent, request.model
        try:
            with spent.asking(self._model, request.model, self._deps.clock.now) as asked:
                asked.reply = reply = await self._model.generate(request, seconds=seconds)
        except SegueError as error:
            if error.reply is not None:
                self._bill(request, error.reply)
            if error.refusals or isinstance(error, ModelBusyError):
                await self._admission.refused(request.model)
            raise
        self._bill(request, reply)
        if reply.refusals:
            await self._admission.refused(request.model)
        return reply

    def _bill(self, request: ModelRequest, reply: ModelReply) -> None:
        spent = self._task.spent
        spent.model = reply.model
        spent.bill(reply.tokens, self._model.cost(request.model, reply.tokens))
