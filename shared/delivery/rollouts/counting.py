"""Counts runs for the trials that they are part of: each once for each thing that is measured.

The record that a run was counted and the sums are one commit, so it can be told again and again.
What comes first counts: a run's first end, and the first value of an outcome.
"""

from __future__ import annotations

from contextlib import suppress

from shared.delivery.deps import Deps
from shared.delivery.handled import Received
from shared.domain.records import RunRecord, RunStatus, StepRecord, Usage, run_path
from shared.domain.rollouts.declared import COST, LATENCY, OF_ENDS, SUCCESS, Guard
from shared.domain.rollouts.records import (
    MICRO,
    CountedRecord,
    RolloutRecord,
    counted_path,
    rollout_path,
    tally_path,
)
from shared.errors import AlreadyExistsError
from shared.ports import Create, Document, Increment, Query


async def count_end(_found: Document, run: RunRecord, _received: Received, deps: Deps) -> bool:
    """The run has ended. One that was cancelled tells nothing of its variants."""
    if run.trials and run.status is not RunStatus.CANCELLED:
        await _count(run, None, None, deps)
    return True


async def count_outcome(run: RunRecord, name: str, value: float, deps: Deps) -> None:
    """An outcome of the run was recorded."""
    if run.trials and name not in OF_ENDS:
        await _count(run, name, value, deps)


async def _count(run: RunRecord, outcome: str | None, value: float | None, deps: Deps) -> None:
    """Without an outcome, what is known now that the run has ended."""
    found = await deps.store.get_many([rollout_path(name) for name in run.trials])
    for document in found:
        record = RolloutRecord.of(document.data) if document is not None else None
        if record is None or record.trial != run.trials[record.rollout]:
            continue  # another trial has begun; this run is of one that is over
        for guard in record.declared().guards:
            if guard.metric == outcome or (outcome is None and guard.metric in OF_ENDS):
                measured = value if value is not None else await _measured(run, guard, deps)
                await _add(run, record, guard, measured, deps)


async def _measured(run: RunRecord, guard: Guard, deps: Deps) -> float | None:
    """None where it cannot be told: a model without a price."""
    if guard.metric == SUCCESS:
        return float(run.status is RunStatus.SUCCEEDED)
    if guard.metric == LATENCY and run.finished_at is not None:
        return (run.finished_at - run.created_at).total_seconds()
    if guard.metric != COST:
        return None
    steps = await deps.store.find(Query(f"{run_path(run.run_id)}/steps"))
    return sum((StepRecord.of(step.data).usage for step in steps), Usage()).cost_usd


async def _add(
    run: RunRecord, record: RolloutRecord, guard: Guard, value: float | None, deps: Deps
) -> None:
    if value is None:
        return
    name, trial = record.rollout, record.trial
    variant = run.variants[name]
    counted = CountedRecord(
        run_id=run.run_id,
        trial=trial,
        variant=variant,
        metric=guard.metric,
        value=value,
        at=deps.clock.now(),
        expire_at=deps.expire_at(),
    )
    about = {"trial": trial, "variant": variant, "metric": guard.metric}
    tally = Increment(
        tally_path(name, trial, variant, guard.metric),
        {"n": 1, "micro": round(guard.score(value) * MICRO)},
        about,
    )
    path = counted_path(name, run.run_id, guard.metric)
    with suppress(AlreadyExistsError):  # it has been counted
        await deps.store.commit([Create(path, counted.document()), tally])
