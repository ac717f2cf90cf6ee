"""The purse of a shadow's question: what it spends is the day's, and never the run's.

Nothing waits for it: it is asked while half of the day's limit is left for runs, or not at all.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from shared.delivery.budgets.purse import Purse, budgets_above
from shared.delivery.deps import Deps
from shared.delivery.outcome import Spent
from shared.domain.budgets.declared import Account
from shared.domain.budgets.records import Owner
from shared.domain.records import Attempt, StepRecord
from shared.domain.rollouts.shadows import ShadowQuestion


async def shadow_purse(question: ShadowQuestion, spent: Spent, deps: Deps) -> Purse | None:
    """None where no flow has a limit of a day that the question counts against."""
    if spent.purse is not None or deps.model is None:
        return spent.purse
    owners = list(question.budgets)
    if question.flow_version:  # an older deployment has not said it
        owners.append(Owner(question.run_id, question.flow, question.flow_version).encode())
    held, now = await budgets_above(owners, deps), deps.clock.now()
    days = [one for who, budget in held for one in budget.accounts(None, who.flow, now)]
    accounts = [_half(one) for one in days]
    if not accounts:
        return None
    budget = held[-1][1].model_copy(update={"on_breach": ("stop",)})
    record = _record(question, deps)
    return Purse(deps, spent, record, accounts, model=deps.model, budget=budget, wait=0.0)


def _half(account: Account) -> Account:
    usd, tokens = (None if n is None else n // 2 for n in (account.usd, account.tokens))
    return replace(account, told=f"{account.told}, with its shadows,", usd=usd, tokens=tokens)


def _record(question: ShadowQuestion, deps: Deps) -> StepRecord:
    """What a step's record would say of this delivery; it is not stored, and has no fence."""
    now = deps.clock.now()
    return StepRecord(
        run_id=question.run_id,
        flow=question.flow,
        step=f"{question.step}~{question.rollout}",
        stage=deps.stage.name,
        owner=deps.new_token(),
        lease_until=now + timedelta(seconds=deps.stage.budget),
        attempts=[Attempt(n=1, started_at=now)],
        started_at=now,
        expire_at=deps.expire_at(),
    )
