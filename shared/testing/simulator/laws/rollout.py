"""Whether runs are counted once for what rollouts measure, and shadows leave no trace in runs.

By the records of runs and rollouts alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from shared.domain.envelope import SHADOW
from shared.domain.records import run_path, step_path
from shared.domain.rollouts.declared import SUCCESS
from shared.domain.rollouts.records import counted_path, rollout_path
from shared.domain.rollouts.shadows import COMPARISONS
from shared.testing.simulator.engine import Change, Fields
from shared.testing.simulator.instance import CURRENT

Documents = Mapping[str, Fields]
_COUNTED = frozenset({"succeeded", "failed"})
_FINAL = _COUNTED | {"skipped", "cancelled"}


def is_of_shadow() -> bool:
    """Whether the work at hand is about what a shadow is asked."""
    work = CURRENT.get()
    return work is not None and SHADOW in work.attributes


def changed_by_shadow(change: Change) -> Iterator[str]:
    """What is wrong with a change that is made with a shadow's answer in hand."""
    if is_of_shadow() and not _may_change_by_shadow(change.path):
        yield f"the answer of a shadow changes {change.path}"


def _may_change_by_shadow(path: str) -> bool:
    """Besides its answer, what it spends: of a flow's day and of a quota, and never of a run."""
    is_of_day = path.startswith("budgets/") and ":" in path
    is_counted = path.startswith(("quotas/", f"{COMPARISONS}/")) or "/holds/" in path
    return is_of_day or is_counted


def broken_counts(documents: Documents) -> Iterator[str]:
    """What is wrong with what has been counted, when all is quiet."""
    counted: Counter[tuple[str, ...]] = Counter()
    sums: Counter[tuple[str, ...]] = Counter()
    for path, fields in documents.items():
        parts = path.split("/")
        if parts[0] == "rollouts" and len(parts) > 2:
            about = (parts[1], *(str(fields[name]) for name in ("trial", "variant", "metric")))
            if parts[2] == "counted":
                counted[about] += 1
            else:
                sums[about] += fields["n"]
    for about in sorted(counted.keys() | sums.keys()):
        if counted[about] != sums[about]:
            yield f"of {about} {counted[about]} runs are counted, and the sums are of {sums[about]}"
    yield from _missing(documents)


def _missing(documents: Documents) -> Iterator[str]:
    """Runs that ended in a trial and were not counted; where it was the only one all the time."""
    for path, run in documents.items():
        is_run = path == run_path(path.rpartition("/")[2])
        if not is_run or run["status"] not in _COUNTED:
            continue
        for name, trial in json.loads(run.get("trials") or "{}").items():
            record = documents[rollout_path(name)]
            is_only = record["trial"] == trial and json.loads(record["past"]) == {}
            if is_only and counted_path(name, run["run_id"], SUCCESS) not in documents:
                yield f"{run['run_id']} has ended, and {name} has not counted it"


def is_to_be_compared(documents: Documents, comparison: Fields) -> bool:
    """Whether a shadow has answered, what it goes beside has ended, and nobody has compared."""
    if not comparison["open"]:
        return False
    run = documents.get(run_path(comparison["run_id"]))
    step = documents.get(step_path(comparison["run_id"], comparison["step"] or ""))
    is_over = run is not None and run["status"] in _FINAL - {"failed"}  # that may go on
    return is_over or (step is not None and step["status"] in _FINAL)


def broken_comparisons(documents: Documents) -> Iterator[str]:
    """What is wrong with what shadows are compared with, when all is quiet."""
    for path, comparison in documents.items():
        usual = json.loads(comparison["usual"]) if path.startswith(f"{COMPARISONS}/") else None
        if usual is None or comparison["step"] is None:
            continue
        run = documents[run_path(comparison["run_id"])]
        step = documents.get(step_path(comparison["run_id"], comparison["step"]))
        is_turn = step is not None and step.get("agent", "null") != "null"
        is_other = run["redrives"] or is_turn or usual["error"] is not None
        if step is None or is_other or step["status"] != "succeeded":
            continue
        if usual["output"] != json.loads(step["output"]):
            yield f"{path} compares with {usual['output']}, and the step has {step['output']}"
