"""Rollouts as `segue rollouts` gives them: put together from the records."""

from __future__ import annotations

from typing import Any

from shared.delivery.rollouts.deciding import measured
from shared.delivery.rollouts.moving import RolloutUnknownError
from shared.delivery.rollouts.standings import Sight, tallies
from shared.domain.rollouts.records import ROLLOUTS, RolloutRecord, rollout_path
from shared.ports import Query

Report = dict[str, Any]


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
    return {**_summary(record), "declaration": record.declaration, **told}


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
