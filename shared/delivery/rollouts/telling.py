"""Rollouts as `segue rollouts` gives them: put together from the records."""

from __future__ import annotations

from typing import Any

from shared.delivery.rollouts.deciding import measured
from shared.delivery.rollouts.moving import RolloutUnknownError
from shared.delivery.rollouts.standings import Sight, tallies
from shared.domain.records import Usage
from shared.domain.rollouts.records import ROLLOUTS, RolloutRecord, rollout_path
from shared.domain.rollouts.shadows import COMPARISONS, ComparisonRecord
from shared.ports import Query

Report = dict[str, Any]
MOST_COMPARISONS = 1000
_SHOWN = 20


async def all_rollouts(sight: Sight) -> list[Report]:
    """All that runs have met, by name."""
    found = [RolloutRecord.of(one.data) for one in await sight.store.find(Query(ROLLOUTS))]
    return [_summary(record) for record in sorted(found, key=lambda one: one.rollout)]


async def rollout_report(name: str, sight: Sight) -> Report:
    """One with what was measured in its present trial. Raises RolloutUnknownError."""
    found = await sight.store.get(rollout_path(name))
    if found is None:
        raise RolloutUnknownError(f"no run has met a rollout {name!r}")
    record = RolloutRecord.of(found.data)
    rollout = record.declared()
    rows, verdicts = [], {}
    for guard in rollout.guards:
        scored = await tallies(name, record, guard.metric, sight.store)
        if rollout.canary is not None:
            _, said = await measured(record, rollout.canary, guard, sight.store)
            verdicts[guard.metric] = said.value
        rows += [
            {"variant": variant, "metric": guard.metric, "runs": one.n, "score": one.mean}
            for variant, one in scored.items()
        ]
    history = [one.model_dump(mode="json") for one in record.history]
    told = {"measured": rows, "verdicts": verdicts, "history": history}
    if rollout.shadow is not None:
        told["comparisons"] = await _comparisons(name, sight)
    return {**_summary(record), "declaration": record.declaration, **told}


async def _comparisons(name: str, sight: Sight) -> Report:
    """How often the shadow was compared, how often it was equal, and the latest of them."""
    query = Query(COMPARISONS, (("rollout", "==", name),), limit=MOST_COMPARISONS)
    found = [ComparisonRecord.of(one.data) for one in await sight.store.find(query)]
    ended = sorted((one for one in found if not one.open), key=lambda one: one.at, reverse=True)
    compared = [one for one in ended if not one.skipped]
    usage = sum((Usage(cost_usd=one.candidate.cost_usd) for one in found), Usage())
    return {
        "compared": len(compared),
        "equal": sum(one.equal is True for one in compared),
        "failed": sum(one.candidate.error is not None for one in compared),
        "skipped": len(ended) - len(compared),
        "cost_usd": usage.cost_usd,
        "is_cut": len(found) == MOST_COMPARISONS,
        "latest": [one.model_dump(mode="json", exclude={"expire_at"}) for one in ended[:_SHOWN]],
    }


def _summary(record: RolloutRecord) -> Report:
    rollout = record.declared()
    return {
        "rollout": record.rollout,
        "of": {rollout.of.kind: rollout.of.name},
        "status": record.status.value,
        "since": record.since.isoformat().replace("+00:00", "Z"),
        "trial": record.trial,
        "arms": record.arms,
        "winner": record.winner,
    }
