"""Asks what a candidate would have answered, and records it. No step waits for that.

A failure of the model is part of the comparison, and so is that it was not asked, as runs may need
the money or the quota; any other is told of in the log, and no more.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from functions.generate.talk import Talk
from shared.delivery.budgets.leaving import settle_apart
from shared.delivery.budgets.shadows import shadow_purse
from shared.delivery.deps import Deps
from shared.delivery.handled import Handled, Received
from shared.delivery.models.breakers import Breakers
from shared.delivery.models.sparing import admit_spare
from shared.delivery.outcome import Spent
from shared.delivery.rollouts.comparing import compare
from shared.domain.envelope import ModelRequest
from shared.domain.model_calls.quotas import Wanted
from shared.domain.records import Failure
from shared.domain.rollouts.shadows import (
    ComparisonRecord,
    ShadowQuestion,
    Side,
    calls_told,
    comparison_path,
)
from shared.errors import (
    AlreadyExistsError,
    MessageInvalidError,
    SegueError,
    ShadowSkippedError,
    StaleError,
)
from shared.ports import Create, ModelReply

_SHARE = 0.8  # of the stage's budget
_SKIPPED = ShadowSkippedError().code


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
            spent = Spent()
            record = _record(question, await _side(question, spent, received, deps), deps)
            await _keep(path, record, spent, deps)
        found = await deps.store.get(path)
        await compare([found] if found is not None and found.data["open"] else [], deps.store)
    except SegueError as error:
        return Handled("shadow-lost", Failure.of(error))
    skipped = found is not None and found.data.get("skipped")
    return Handled("shadow-skipped" if skipped else "shadowed")


@dataclass
class _Caller:
    """Asks one model, once; what it costs is the comparison's and the day's, not the run's."""

    question: ShadowQuestion
    spent: Spent
    deps: Deps

    async def ask(self, request: ModelRequest) -> ModelReply:
        model = self.deps.model
        assert model is not None
        request = await self._admitted(request)
        seconds = self.deps.stage.budget * _SHARE
        try:
            with self.spent.asking(model, request.model, self.deps.clock.now) as asked:
                asked.reply = reply = await model.generate(request, seconds=seconds)
        except SegueError as error:
            if error.reply is not None:
                self._bill(request, error.reply)
            raise
        self._bill(request, reply)
        return reply

    def _bill(self, request: ModelRequest, reply: ModelReply) -> None:
        assert self.deps.model is not None
        self.spent.model = reply.model
        self.spent.bill(reply.tokens, self.deps.model.cost(request.model, reply.tokens))

    async def _admitted(self, request: ModelRequest) -> ModelRequest:
        """The request to a model that is well, held for. Raises ShadowSkippedError."""
        name = await Breakers(self.deps).first_well([request.model, *request.others])
        if name is None:
            raise ShadowSkippedError(f"{request.model} is not well")
        asked = request.model_copy(update={"model": name, "others": ()})
        await admit_spare(self.deps, Wanted.of(asked))
        try:
            purse = await shadow_purse(self.question, self.spent, self.deps)
            return asked if purse is None else await purse.reserve(asked)
        except SegueError as error:
            raise ShadowSkippedError(error.detail) from error


async def _keep(path: str, record: ComparisonRecord, spent: Spent, deps: Deps) -> None:
    """Records it with what it has spent; where another delivery was as fast, only the latter."""
    create = Create(path, record.document())
    try:
        await deps.store.commit([create, *spent.settling()])
    except AlreadyExistsError:
        await settle_apart(spent, deps)
    except StaleError:  # another one has counted what was held
        with suppress(AlreadyExistsError):
            await deps.store.commit([create])


async def _side(question: ShadowQuestion, spent: Spent, received: Received, deps: Deps) -> Side:
    began, error, output = deps.clock.now(), None, None
    try:
        talk = Talk(_Caller(question, spent, deps), spent, question.request)
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
    skipped = side.error is not None and side.error.code == _SKIPPED
    return ComparisonRecord(
        rollout=question.rollout,
        run_id=question.run_id,
        step=question.step,
        variant=question.prompt.variant or "",
        candidate=side,
        open=not skipped,
        skipped=skipped,
        at=deps.clock.now(),
        expire_at=deps.expire_at(),
    )
