"""How rollouts stand, as an instance knows it: what is stored, a few seconds old at most.

Whoever finds another version behind a variant begins the next trial; at once or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.domain.rollouts.declared import Rollout
from shared.domain.rollouts.records import (
    RolloutRecord,
    TallyRecord,
    is_moot,
    rollout_path,
    tally_path,
    trial_of,
)
from shared.domain.rollouts.sequential import Tally
from shared.errors import ClaimBusyError, Conflict
from shared.ports import Clock, Create, Store, Update

EVERY = timedelta(seconds=5)
_TRIES = 4


class Sight(Protocol):
    """What it takes to look; a stage's dependencies have it."""

    @property
    def store(self) -> Store: ...

    @property
    def clock(self) -> Clock: ...


@dataclass(frozen=True)
class Read:
    """How a rollout stood `at` a time, and what each variant had scored."""

    record: RolloutRecord
    tallies: Mapping[str, Tally]
    at: datetime


async def standing_of(
    rollout: Rollout, arms: Mapping[str, str], known: dict[str, Read], sight: Sight
) -> Read:
    """How the rollout stands with these versions of its variants. `known`: what was read before.

    Raises StoreUnavailableError, ClaimBusyError where others keep changing it.
    """
    now = sight.clock.now()
    kept = known.get(rollout.rollout)
    if kept is None or abs(now - kept.at) >= EVERY or not _is_of(kept.record, rollout, arms):
        record = await present(rollout, arms, sight)
        kept = Read(record, await scores(rollout, record, sight.store), now)
        known[rollout.rollout] = kept
    return kept


def _is_of(record: RolloutRecord, rollout: Rollout, arms: Mapping[str, str]) -> bool:
    return record.trial == trial_of(rollout, arms) or is_moot(rollout, arms)


async def present(rollout: Rollout, arms: Mapping[str, str], sight: Sight) -> RolloutRecord:
    """What is stored, after the next trial has begun where that is due."""
    path = rollout_path(rollout.rollout)
    for _ in range(_TRIES):
        now, found = sight.clock.now(), await sight.store.get(path)
        try:
            if found is None:
                first = RolloutRecord.first(rollout, arms, now)
                await sight.store.commit([Create(path, first.document())])
                return first
            before = RolloutRecord.of(found.data)
            record = before.in_trial(rollout, arms, now)
            if record is not before:
                await sight.store.commit([Update(path, record.document(), found.revision)])
        except Conflict:
            continue
        return record
    raise ClaimBusyError(f"rollout {rollout.rollout!r}")


async def scores(rollout: Rollout, record: RolloutRecord, store: Store) -> Mapping[str, Tally]:
    """By variant, of the first thing that is measured; nothing where nothing is."""
    if not rollout.guards:
        return {}
    metric = rollout.guards[0].metric
    return await tallies(rollout.rollout, record, metric, store)


async def tallies(
    name: str, record: RolloutRecord, metric: str, store: Store
) -> Mapping[str, Tally]:
    """By variant of the present trial: what has been counted of a metric."""
    paths = [tally_path(name, record.trial, variant, metric) for variant in record.arms]
    found = await store.get_many(paths)
    return {
        variant: TallyRecord.of(one.data).tally if one is not None else Tally()
        for variant, one in zip(record.arms, found, strict=True)
    }
