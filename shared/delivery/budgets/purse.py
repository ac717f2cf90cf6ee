"""Decides whether a model may be called: the dearest that the call can be is reserved before it.

What others hold may come back, and is waited for; what does not fit even so goes down the ladder
that the flow declares, or fails where texts are to be embedded. Counting is `till`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.delivery.budgets.asking import Asking
from shared.delivery.budgets.till import Till
from shared.delivery.deps import Deps
from shared.delivery.outcome import Spent
from shared.delivery.steps import StepTask
from shared.delivery.waits.deferring import StepDeferred
from shared.domain.budgets.declared import (
    Account,
    Amount,
    Budget,
    amount,
    most_embedded,
    most_input,
)
from shared.domain.budgets.ladder import LONGEST, request_on
from shared.domain.budgets.records import EMBEDDING, Balance, Owner
from shared.domain.envelope import ModelRequest, RunPins
from shared.domain.ids import digest
from shared.domain.records import StepRecord, Tokens
from shared.domain.retrieval.vectors import EmbedRequest
from shared.errors import BudgetExceededError, PriceUnknownError
from shared.ports import Embedder, Model, Write

_NOT_BILLED = frozenset({"ModelBusy", "ModelRequest"})  # the model's API has refused to answer
_IN_REQUEST = 10.0  # seconds that others' calls are waited for before the step is put off
_LOOK_EVERY = 1.0
_PUT_OFF = timedelta(seconds=30)
_PATIENCE = timedelta(minutes=30)  # what is held after that counts as spent


async def purse_of(task: StepTask, deps: Deps) -> Purse | None:
    """The purse of an attempt at a step; None, without a read, where nothing limits its calls."""
    if task.spent.purse is not None:
        return task.spent.purse
    flow, run, record = task.scope.version.flow, task.envelope.run, task.record
    if (flow.budget is None and not run.budgets) or record is None or deps.model is None:
        return None
    held, now = await budgets_above(run.budgets, deps), deps.clock.now()
    whose = [(None if run.is_apart else who.run, who.flow, budget) for who, budget in held]
    if flow.budget is not None:
        whose.append((run.id, run.flow, flow.budget))
    accounts = [one for who, name, budget in whose for one in budget.accounts(who, name, now)]
    if not accounts:
        return None
    timeout = flow.declared(task.envelope.step).timeout or task.seconds
    wait = min(_IN_REQUEST, task.seconds / 4, timeout / 4)
    models: dict[str, Any] = {"model": deps.model, "embedder": deps.embedder}
    about = {**models, "budget": _ladder(whose[-1][2], run), "wait": wait}
    return Purse(deps, task.spent, record, tuple(accounts), **about)


def _ladder(budget: Budget, run: RunPins) -> Budget:
    """Nobody is asked for the money of a judge, nor is it given another model than it has."""
    return budget if run.judge_of is None else budget.model_copy(update={"on_breach": ("stop",)})


async def budgets_above(owners: Sequence[str], deps: Deps) -> list[tuple[Owner, Budget]]:
    """The budgets that a run's calls count against, of those whose child it is, or a child's."""
    found = []
    for text in owners:
        owner = Owner.decode(text)
        if owner is None:
            continue
        budget = (await deps.flows.pinned(owner.flow, owner.version)).flow.budget
        if budget is not None:
            found.append((owner, budget))
    return found


@dataclass(frozen=True)
class Breach:
    """A call that does not fit: what it may cost, and the account that lacks so much for it."""

    account: Account
    balance: Balance
    wanted: Amount
    lack: Amount

    def __str__(self) -> str:
        told, limit = self.account.told, self.account.of_limit(self.balance.raised)
        held = self.balance.reserved
        in_flight = f" and holds {held} for calls in flight" if held.is_some else ""
        spent = f"{told} has spent {self.balance.spent}{in_flight}, of {limit}"
        return f"the next call may cost {self.wanted}; {spent}"


class Purse:
    """The money of one attempt at a step: what is held is for one call at a time."""

    def __init__(  # noqa: PLR0913 - whose money it is, and for whom
        self,
        deps: Deps,
        spent: Spent,
        record: StepRecord,
        accounts: Sequence[Account],
        *,
        model: Model,
        embedder: Embedder | None = None,
        budget: Budget,
        wait: float,
    ) -> None:
        self._deps = deps
        self._model = model
        self._embedder = embedder
        self._spent = spent
        self._record = record
        self._accounts = accounts
        self._rungs = budget.on_breach
        self._wait = wait
        self._till = Till(deps, record, accounts)
        self._known = len(spent.calls)  # calls that are settled, or were another's
        self._refusals_are_free = True  # not where a call is several requests to the model's API
        spent.purse, spent.settling = self, self.settlement

    async def reserve(self, request: ModelRequest) -> ModelRequest:
        """The request that may be sent, as it is or as the ladder has made it.

        Raises BudgetExceededError, PriceUnknownError, StepDeferred, ClaimLostError.
        """
        self._refusals_are_free = True
        breach, asking = await self._try_request(request), Asking(self._record)
        for rung in self._rungs:
            if breach is None or rung == "stop":
                break
            if rung == "ask":
                if asking.is_open:
                    now = self._deps.clock.now()
                    raise asking.deferred(breach.account, breach.lack, str(breach), now)
                continue
            less = request_on(rung, request, self._longest(request))
            if less is not None:
                request, breach = less, await self._try_request(less)
        if breach is not None:
            raise BudgetExceededError(f"{breach}{asking.told}")
        return request

    async def reserve_embedding(self, request: EmbedRequest) -> None:
        """Reserves what it may cost to have texts embedded; there is nothing cheaper to be tried.

        Raises as `reserve` does.
        """
        assert self._embedder is not None
        self._refusals_are_free = len(request.texts) == 1
        tokens = Tokens(input=most_embedded(request.texts))
        cost = self._embedder.cost(request.model, tokens)
        wanted = self._priced(request.model, cost, tokens.input)
        breach = await self._try(wanted, call=EMBEDDING)
        if breach is not None:
            raise BudgetExceededError(str(breach))

    async def affords(self, request: ModelRequest, beside: Amount) -> bool:
        """Reserves so much beside what the request may cost, where there is room for both now.

        Else nothing is reserved. Raises ClaimLostError, PriceUnknownError.
        """
        self._refusals_are_free = True
        wanted = self._worst(request) + beside
        # Who is cut down while too much is held has it counted as spent: it is looked at before.
        balances = await self._till.balances()
        if self._lacking(balances, [one.taken + wanted for one in balances], wanted):
            return False
        balances = await self._hold(wanted, EMBEDDING)
        if not self._lacking(balances, [one.taken for one in balances], wanted):
            return True
        await self._hold(Amount(), EMBEDDING)
        return False

    def settlement(self) -> list[Write]:
        """What the step's own commit must hold beside it, whatever has become of the step."""
        return self._till.settlement(self._billed())

    # -- one call ---------------------------------------------------------------------------

    async def _try_request(self, request: ModelRequest) -> Breach | None:
        return await self._try(self._worst(request), call=self._spent.usage.llm_calls + 1)

    async def _try(self, wanted: Amount, *, call: int) -> Breach | None:
        """Reserves what a call may cost; or nothing, where that does not fit."""
        waited = 0.0
        while True:
            balances = await self._hold(wanted, call)
            if not self._lacking(balances, [one.taken for one in balances], wanted):
                return None
            balances = await self._hold(Amount(), call)
            breach = self._lacking(balances, [one.spent + wanted for one in balances], wanted)
            late = self._lacking(balances, [one.taken + wanted for one in balances], wanted)
            if breach is not None or (late is not None and self._is_out_of_patience()):
                return breach or late
            waited = await self._let_others(wanted, waited, late)

    def _lacking(
        self, balances: Sequence[Balance], taken: Sequence[Amount], wanted: Amount
    ) -> Breach | None:
        """The first account that lacks something, where so much is taken of each."""
        for account, balance, amount_taken in zip(self._accounts, balances, taken, strict=True):
            lack = account.lack(amount_taken, balance.raised)
            if lack.is_some:
                return Breach(account, balance, wanted, lack)
        return None

    async def _let_others(self, wanted: Amount, waited: float, late: Breach | None) -> float:
        """Waits for room, by reading alone. Raises StepDeferred where that takes long."""
        while late is not None:
            if waited >= self._wait:
                until = self._deps.clock.now() + _PUT_OFF
                raise StepDeferred(f"{late}; it waits for those calls", until)
            drawn = int(digest(self._deps.new_token(), length=4), 16) / 0xFFFF
            await self._deps.clock.sleep(pause := _LOOK_EVERY * (0.5 + drawn))
            waited += pause
            balances = await self._till.balances()
            late = self._lacking(balances, [one.taken + wanted for one in balances], wanted)
        return waited

    def _is_out_of_patience(self) -> bool:
        started = self._record.started_at or self._deps.clock.now()
        return self._deps.clock.now() - started > _PATIENCE

    # -- amounts ----------------------------------------------------------------------------

    async def _hold(self, wanted: Amount, call: int) -> list[Balance]:
        billed, self._known = self._billed(), len(self._spent.calls)
        return await self._till.hold(wanted, spent=billed, call=call)

    def _billed(self) -> Amount:
        """What has been spent of what is held: all of it, where nobody can tell."""
        calls = self._spent.calls[self._known :]
        if not calls:
            return Amount()
        call = calls[-1]
        if call.reply is not None:
            tokens = call.reply.tokens
            is_embedding = self._embedder is not None and call.operation == "embeddings"
            priced = self._embedder if is_embedding else self._model
            assert priced is not None
            own = call.cost_usd
            cost = own if own is not None else priced.cost(call.asked, tokens)
            return amount(cost, tokens.input + tokens.output)
        is_refused = call.error is not None and call.error.code in _NOT_BILLED
        return Amount() if is_refused and self._refusals_are_free else self._till.held

    def _worst(self, request: ModelRequest) -> Amount:
        """What the request may cost at most."""
        tokens = Tokens(input=most_input(request), output=self._longest(request))
        cost = self._model.cost(request.model, tokens)
        return self._priced(request.model, cost, tokens.input + tokens.output)

    def _priced(self, model: str, cost: float | None, tokens: int) -> Amount:
        if cost is None and any(account.usd is not None for account in self._accounts):
            raise PriceUnknownError(f"model {model!r} is not in the price table")
        return amount(cost, tokens)

    def _longest(self, request: ModelRequest) -> int:
        """Tokens of the longest answer that the request allows for."""
        declared = request.parameters.get(LONGEST)
        own = self._model.most_output(request.model)
        known = [n for n in (declared, own) if isinstance(n, int) and n > 0]
        if not known:
            told = f"nothing says how long an answer of {request.model!r} can be"
            raise PriceUnknownError(f"{told}; give the prompt `max_output_tokens`")
        return min(known)
