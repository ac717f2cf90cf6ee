"""Decides canaries, in `sweep`: promoted, held or rolled back as soon as that is proven.

The error rate is the declaration's `alpha`, over the whole trial and all its guards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from shared.delivery.deps import Deps
from shared.delivery.rollouts.moving import RolloutRefusedError, move
from shared.delivery.rollouts.standings import tallies
from shared.domain.rollouts.declared import Canary, Guard
from shared.domain.rollouts.records import RolloutRecord, Standing
from shared.domain.rollouts.sequential import Tally, Verdict, verdict
from shared.ports import Document, Store


async def decide(found: Sequence[Document], deps: Deps) -> list[str]:
    """The names of those that stand otherwise now, of the running ones that were found."""
    moved = []
    for document in found:
        record = RolloutRecord.of(document.data)
        canary = record.declared().canary
        proven = await _proven(record, canary, deps.store) if canary is not None else None
        if proven is None:
            continue
        to, why = proven
        with suppress(RolloutRefusedError):  # somebody has moved it, or the label, meanwhile
            await move(record.rollout, to, record.rollout, why, deps)
            deps.telemetry.log("WARNING", f"rollout {record.rollout} {to}: {why}", kind="rollout")
            moved.append(record.rollout)
    return moved


async def _proven(
    record: RolloutRecord, canary: Canary, store: Store
) -> tuple[Standing, str] | None:
    found = [(guard, await measured(record, canary, guard, store)) for guard in canary.guard]
    worse = [_told(guard, one) for guard, (one, said) in found if said is Verdict.WORSE]
    if worse:
        return Standing.ROLLED_BACK, f"worse at {'; '.join(worse)}"
    if any(said is not Verdict.GOOD for _, (_, said) in found):
        return None
    why = f"not worse at {'; '.join(_told(guard, one) for guard, (one, _) in found)}"
    return (Standing.PROMOTED if canary.then == "promote" else Standing.HELD), why


async def measured(
    record: RolloutRecord, canary: Canary, guard: Guard, store: Store
) -> tuple[Mapping[str, Tally], Verdict]:
    """What the variants have scored, the baseline first, and what that proves."""
    found = await tallies(record.rollout, record, guard.metric, store)
    ordered = [one for name, one in found.items() if name != canary.candidate]
    baseline, candidate = next(iter(ordered), Tally()), found.get(canary.candidate, Tally())
    if min(baseline.n, candidate.n) < canary.min_runs:
        return found, Verdict.OPEN
    alpha = canary.alpha / len(canary.guard)
    return found, verdict(candidate, baseline, margin=guard.tolerated, alpha=alpha)


def _told(guard: Guard, found: Mapping[str, Tally]) -> str:
    means = (f"{name} {one.mean or 0:.3f} of {one.n}" for name, one in found.items())
    return f"{guard.metric} ({', '.join(means)})"
