"""Compares what shadows answered with what was used, once both are there; `sweep` looks again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from shared.domain.chain import StepStatus
from shared.domain.records import StepRecord, step_path
from shared.domain.rollouts.shadows import ComparisonRecord, Side
from shared.errors import StaleError
from shared.ports import Document, Store, Update


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


async def usual_of(record: ComparisonRecord, store: Store) -> Side | None:
    """What was used; None while the step goes on."""
    found = await store.get(step_path(record.run_id, record.step or ""))
    step = StepRecord.of(found.data) if found is not None else None
    if step is None or not step.status.is_final:
        return None
    took = (
        (step.finished_at - step.started_at).total_seconds()
        if step.finished_at is not None and step.started_at is not None
        else None
    )
    return Side(
        version=step.prompt.version if step.prompt is not None else "",
        model=step.model,
        output=step.output if step.status is StepStatus.SUCCEEDED else None,
        error=step.error,
        tokens=step.usage.tokens,
        cost_usd=step.usage.cost_usd,
        seconds=took,
    )
