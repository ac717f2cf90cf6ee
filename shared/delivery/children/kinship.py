"""Which runs have failed with each other: a parent with its child. A redrive takes them along.

Decides nothing about how a run is continued.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.delivery.deps import Deps
from shared.delivery.runs.undoing import undone_by
from shared.domain.chain import StepStatus
from shared.domain.records import RunRecord, RunStatus, StepRecord, run_path, step_path
from shared.ports import Query

# Of steps whose child a redrive has to look at: the others have what they wanted of theirs.
_UNSETTLED = [
    status.value for status in (StepStatus.PENDING, StepStatus.WAITING, StepStatus.FAILED)
]


@dataclass(frozen=True)
class Below:
    """The children that a failed run is still without: those that can be continued, and not."""

    failed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


async def below(run_id: str, deps: Deps) -> Below:
    """The children of steps that have failed with them, or would wait for them again."""
    query = Query(f"{run_path(run_id)}/steps", (("status", "in", _UNSETTLED),))
    records = [StepRecord.of(one.data) for one in await deps.store.find(query)]
    paths = [run_path(one.child.run_id) for one in records if one.child and not one.handled]
    found = await deps.store.get_many(paths) if paths else []
    children = [RunRecord.of(one.data) for one in found if one is not None]
    failed = [child for child in children if _is_to_be_continued(child)]
    over = [child for child in failed if child.was_refused or await undone_by(child.run_id, deps)]
    return Below(
        failed=tuple(child.run_id for child in failed if child not in over),
        refused=tuple(child.run_id for child in over),
    )


def _is_to_be_continued(child: RunRecord) -> bool:
    """One that goes on by a redrive may be left without a message: whoever redrove it has died."""
    is_redriven = child.status is RunStatus.RUNNING and child.redrives > 0
    return is_redriven or child.status is RunStatus.FAILED


async def above(run_id: str, deps: Deps) -> str | None:
    """The failed run whose step has failed with this one; None where there is none."""
    found = await deps.store.get(run_path(run_id))
    parent = RunRecord.of(found.data).parent if found is not None else None
    if parent is None:
        return None
    paths = [run_path(parent.run_id), step_path(parent.run_id, parent.step)]
    run, step = await deps.store.get_many(paths)
    if run is None or step is None or RunRecord.of(run.data).status is not RunStatus.FAILED:
        return None
    record = StepRecord.of(step.data)
    is_ours = record.child is not None and record.child.run_id == run_id
    has_failed = record.status is StepStatus.FAILED and not record.handled
    return parent.run_id if is_ours and has_failed else None
