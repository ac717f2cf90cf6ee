"""Holds that no step's commit settles: of a step that was cancelled, of an instance that is gone.

A hold's own revision fences it, so whoever comes first counts it, and nobody does so twice.
"""

from __future__ import annotations

from contextlib import suppress

from shared.delivery.deps import Deps
from shared.delivery.outcome import Spent
from shared.domain.budgets.records import Balance, HoldRecord, increments
from shared.errors import Conflict, Transient
from shared.ports import Delete, Document, Increment, Query

HOLDS_A_TICK = 200


async def settle_apart(spent: Spent, deps: Deps) -> None:
    """Settles what an attempt has spent whose step is nobody's any more, as far as that is known.

    Best effort: what cannot be written is left, and counts in full when its time is over.
    """
    writes = spent.settling()
    with suppress(Conflict, Transient):
        if writes:
            await deps.store.commit(list(writes))


async def settle_left(deps: Deps) -> int:
    """Counts as spent what is held for calls that are over, whoever made them; returns how many.

    Nobody knows what they were billed, and nobody is left who could say.
    """
    now = deps.clock.now()
    query = Query(
        "holds", (("until", "<=", now),), order_by="until", limit=HOLDS_A_TICK, group=True
    )
    return sum([await _settled(found, deps) for found in await deps.store.find(query)])


async def _settled(found: Document, deps: Deps) -> bool:
    hold, about = HoldRecord.of(found.data), {"expire_at": deps.expire_at()}
    change = increments(Balance(reserved=-hold.amount, spent=hold.amount))
    counted = [Increment(path, change, about) for path in hold.accounts]
    with suppress(Conflict):  # it has been settled since
        await deps.store.commit([Delete(found.path, found.revision), *counted])
        if hold.amount.is_some:
            told = f"{found.path} was never settled: {hold.amount} count as spent"
            deps.telemetry.log("WARNING", told)
        return True
    return False
