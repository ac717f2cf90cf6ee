"""Compares what shadows answered with what was used, once both are there; `sweep` looks again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from shared.delivery.deps import Deps
from shared.delivery.handled import Received
from shared.domain.agents.notes import TurnTaken
from shared.domain.chain import StepStatus
from shared.domain.model import Json
from shared.domain.records import (
    Failure,
    RunRecord,
    RunStatus,
    StepRecord,
    Usage,
    run_path,
    step_path,
)
from shared.domain.rollouts.shadows import ComparisonRecord, Side, calls_told, comparison_path
from shared.errors import AlreadyExistsError, StaleError
from shared.ports import Create, Document, Query, Store, Update


async def compare(found: Sequence[Document], store: Store) -> int:
    """Ends the comparisons whose run has got so far; returns how many."""
    ended = 0
    for document in found:
        record = ComparisonRecord.of(document.data)
        usual = await usual_of(record, store)
        if usual is None:
            continue
        whole = record.with_usual(usual)
        fields = whole.fields_of({name: getattr(whole, name) for name in _ENDING})
        with suppress(StaleError):  # another one has compared it
            await store.commit([Update(document.path, fields, document.revision)])
            ended += 1
    return ended


_ENDING = ("usual", "equal", "open")
_GOES_ON = frozenset({RunStatus.RUNNING, RunStatus.WAITING, RunStatus.FAILED})  # by a redrive


async def compare_run(_found: Document, run: RunRecord, _received: Received, deps: Deps) -> bool:
    """A run that was another one's shadow has ended: records how, and compares if it can."""
    if run.shadow_of is None:
        return True
    [(rollout, variant)] = run.variants.items()
    record = ComparisonRecord(
        rollout=rollout,
        run_id=run.shadow_of,
        shadow_run=run.run_id,
        variant=variant,
        candidate=await _of_run(run, deps.store),
        at=deps.clock.now(),
        expire_at=deps.expire_at(),
    )
    path = comparison_path(rollout, run.shadow_of)
    with suppress(AlreadyExistsError):
        await deps.store.commit([Create(path, record.document())])
    found = await deps.store.get(path)
    await compare([found] if found is not None and found.data["open"] else [], deps.store)
    return True


async def usual_of(record: ComparisonRecord, store: Store) -> Side | None:
    """What was used; None while it goes on."""
    run_at = run_path(record.run_id)
    if record.step is None:
        found = await store.get(run_at)
        run = RunRecord.of(found.data) if found is not None else None
        return await _of_run(run, store) if run is not None and run.status.is_final else None
    steps, runs = await store.get_many([step_path(record.run_id, record.step), run_at])
    step = StepRecord.of(steps.data) if steps is not None else None
    if step is not None and step.status.is_final:
        return _of_step(step)
    if runs is not None and RunRecord.of(runs.data).status in _GOES_ON:
        return None
    told = "its run has ended without it"  # or is deleted; else it would be looked for for ever
    return Side(version="", error=Failure(code="RunEnded", message=told, step=record.step))


def _of_step(step: StepRecord) -> Side:
    return Side(
        version=step.prompt.version if step.prompt is not None else "",
        model=step.model,
        output=_said(step) if step.status is StepStatus.SUCCEEDED else None,
        error=step.error,
        tokens=step.usage.tokens,
        cost_usd=step.usage.cost_usd,
        seconds=_seconds(step.started_at, step.finished_at),
    )


def _said(step: StepRecord) -> Json:
    """Its output; of a turn that asks for calls, these."""
    if isinstance(step.agent, TurnTaken) and step.agent.calls:
        return calls_told(step.agent.calls)
    return step.output


async def _of_run(run: RunRecord, store: Store) -> Side:
    steps = await store.find(Query(f"{run_path(run.run_id)}/steps"))
    usage = sum((StepRecord.of(step.data).usage for step in steps), Usage())
    was_cancelled = run.status is RunStatus.CANCELLED
    failure = Failure(code="Cancelled", message="it was cancelled") if was_cancelled else None
    return Side(
        version=run.flow_version,
        output=run.outputs,
        error=run.error or failure,
        tokens=usage.tokens,
        cost_usd=usage.cost_usd,
        seconds=_seconds(run.created_at, run.finished_at),
    )


def _seconds(began: datetime | None, ended: datetime | None) -> float | None:
    return (ended - began).total_seconds() if began is not None and ended is not None else None
