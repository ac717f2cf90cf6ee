"""How a run's budgets stand, for reports: what is spent, held and left of each limit."""

from __future__ import annotations

from typing import Any

from shared.delivery.deps import Deps
from shared.domain.budgets.declared import MICRO, Account
from shared.domain.budgets.records import Balance, Owner
from shared.domain.records import RunRecord
from shared.errors import VersionMissingError


async def budgets_of(run: RunRecord, deps: Deps) -> list[dict[str, Any]]:
    """One entry for each limit that the run's calls count against, its own last.

    Days are that of the run's end, or today.
    """
    own = Owner(run.run_id, run.flow, run.flow_version)
    above = [owner for text in run.budgets if (owner := Owner.decode(text)) is not None]
    day = run.finished_at or deps.clock.now()
    accounts: list[Account] = []
    for owner in [*above, own]:
        try:
            budget = (await deps.flows.pinned(owner.flow, owner.version)).flow.budget
        except VersionMissingError:  # what is recorded can still be shown
            continue
        if budget is not None:
            accounts.extend(budget.accounts(owner.run, owner.flow, day))
    if not accounts:
        return []
    found = await deps.store.get_many([account.path for account in accounts])
    pairs = zip(accounts, found, strict=True)
    return [_told(one, Balance.of(at.data) if at else Balance()) for one, at in pairs]


def _told(account: Account, balance: Balance) -> dict[str, Any]:
    kinds = {"spent": balance.spent, "reserved": balance.reserved, "raised": balance.raised}
    told: dict[str, Any] = {"of": account.told}
    if account.usd is not None:
        usd = {kind: amount.usd / MICRO for kind, amount in kinds.items()}
        told["usd"] = {"limit": account.usd / MICRO, **usd}
    if account.tokens is not None:
        tokens = {kind: amount.tokens for kind, amount in kinds.items()}
        told["tokens"] = {"limit": account.tokens, **tokens}
    return told
