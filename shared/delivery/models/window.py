"""Counts requests in the short windows of a model's quota, fleet-wide; decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shared.delivery.deps import Deps
from shared.domain.model_calls.quotas import (
    FULL,
    Counted,
    LearntRecord,
    Quota,
    Wanted,
    Window,
    counted_in,
    counts,
    learnt_path,
    taken_back,
    window_path,
)
from shared.ports import Increment

_KEPT = timedelta(hours=1)  # of a window's counters


@dataclass(frozen=True)
class Place:
    """One request among those of its window, `passed` of which are over, and how to give it up.

    `factor` says how much of the quota the model has turned out to take, in thousandths.
    """

    counted: Counted
    passed: float
    factor: int
    back: Increment


async def place_in(deps: Deps, wanted: Wanted, quota: Quota, sharer: str | None = None) -> Place:
    """Counts a request in the present window. A write, and reads that the instance keeps."""
    model = wanted.model
    now, store = deps.clock.now(), deps.store
    window = Window.at(now, quota.window)
    path = window_path(model, window.number)
    learnt = await deps.kept.get(store, learnt_path(model), now)
    earlier = await deps.kept.get(store, window_path(model, window.number - 1), now)
    factor = LearntRecord.of(learnt.data).factor_at(now) if learnt is not None else FULL
    added, about = counts(sharer, wanted.tokens, wanted.requests), {"expire_at": now + _KEPT}
    [written] = await store.commit([Increment(path, added, about)])
    before = earlier.data if earlier is not None else {}
    counted = counted_in(written.counters, before, wanted.requests)
    back = Increment(path, taken_back(added), about)
    return Place(counted, window.passed, factor, back)
