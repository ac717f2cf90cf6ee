"""Asks what a candidate would have answered, and records it. No step waits for that.

A failure of the model is part of the comparison; any other is told of in the log, and no more.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from functions.generate.handler import Talk
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.outcome import Spent
from shared.delivery.rollouts.comparing import compare
from shared.domain.envelope import ModelRequest
from shared.domain.records import Failure
from shared.domain.rollouts.shadows import (
    ComparisonRecord,
    ShadowQuestion,
    Side,
    calls_told,
    comparison_path,
)
from shared.errors import AlreadyExistsError, MessageInvalidError, SegueError
from shared.ports import Create, ModelReply

_SHARE = 0.8  # of the stage's budget


async def answer(received: Received, deps: Deps) -> Handled:
    """Records the candidate's answer once, and compares it where the step has ended.

    Raises MessageInvalidError; such a letter fails no run.
    """
    try:
        question = ShadowQuestion.model_validate_json(received.delivery.message.data)
    except ValidationError as error:
        raise MessageInvalidError(f"shadow: {error.errors()[0]['msg']}") from error
    labels = {"correlation_id": question.correlation_id, "flow": question.flow}
    received.describe({**labels, "step": question.step, **question.prompt.labels()})
    path = comparison_path(question.rollout, question.run_id, question.step)
    try:
        if await deps.store.get(path) is None:
            record = _record(question, await _side(question, received, deps), deps)
            with suppress(AlreadyExistsError):  # another delivery was as fast
                await deps.store.commit([Create(path, record.document())])
        found = await deps.store.get(path)
        await compare([found] if found is not None and found.data["open"] else [], deps.store)
    except SegueError as error:
        return Handled("shadow-lost", Failure.of(error))
    return Handled("shadowed")


@dataclass
class _Caller:
    """Asks one model, once; what it costs is the comparison's, not the run's."""

    spent: Spent
    deps: Deps

    async def ask(self, request: ModelRequest) -> ModelReply:
        model = self.deps.model
        assert model is not None
        seconds = self.deps.stage.budget * _SHARE
        with self.spent.asking(model, request.model, self.deps.clock.now) as asked:
            asked.reply = reply = await model.generate(request, seconds=seconds)
        self.spent.model = reply.model
        self.spent.bill(reply.tokens, model.cost(request.model, reply.tokens))
        return reply


async def _side(question: ShadowQuestion, received: Received, deps: Deps) -> Side:
    spent, began, error, output = Spent(), deps.clock.now(), None, None
    try:
        talk = Talk(_Caller(spent, deps), spent, question.request)
        output = await talk.hold()
        output = calls_told(talk.calls) if talk.calls else output
    except SegueError as failed:
        error = Failure.of(failed)
    received.calls, received.usage = spent.calls, spent.usage
    return Side(
        version=question.prompt.version,
        model=spent.model or question.request.model,
        output=output,
        error=error,
        tokens=spent.usage.tokens,
        cost_usd=spent.usage.cost_usd,
        seconds=(deps.clock.now() - began).total_seconds(),
    )


def _record(question: ShadowQuestion, side: Side, deps: Deps) -> ComparisonRecord:
    return ComparisonRecord(
        rollout=question.rollout,
        run_id=question.run_id,
        step=question.step,
        variant=question.prompt.variant or "",
        candidate=side,
        at=deps.clock.now(),
        expire_at=deps.expire_at(),
    )
