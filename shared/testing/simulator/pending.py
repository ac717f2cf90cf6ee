"""Whether anything that is stored waits for its time, or for somebody: then all is not quiet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.domain.records import run_path
from shared.domain.rollouts.shadows import COMPARISONS
from shared.testing.simulator.engine import Fields
from shared.testing.simulator.laws.rollout import is_to_be_compared

Documents = Mapping[str, Fields]
_STEP_DEPTH = 3  # slashes in the path of a step's record
_PUT_OFF = frozenset({"pending", "waiting"})
_FINAL = frozenset({"succeeded", "skipped", "failed", "cancelled"})


def is_something_due(documents: Documents) -> bool:
    """Whether a step, a run or a batch waits for its time, or an end is still to be heard, or a
    shadow's answer to be compared.
    """
    is_step_due = any(
        step.get("due") is not None
        and (step["status"] in _FINAL or (step["status"] in _PUT_OFF and _goes_on(documents, path)))
        for path, step in _steps(documents)
    )
    is_kept_due = _is_batch_due(documents) or _is_comparison_due(documents)
    return is_step_due or _is_run_due(documents) or is_kept_due


def is_something_awaited(documents: Documents) -> bool:
    """Whether a step waits, in a run that goes on: something must end that."""
    return any(
        step.get("awaited", "null") != "null"
        and step["status"] == "waiting"
        and _goes_on(documents, path)
        for path, step in _steps(documents)
    )


def _steps(documents: Documents) -> Iterator[tuple[str, Fields]]:
    return ((path, step) for path, step in documents.items() if path.count("/") == _STEP_DEPTH)


def _is_run_due(documents: Documents) -> bool:
    runs = (run for path, run in documents.items() if _is_in("runs", path))
    return any(
        run.get("unheard") if run["status"] in _FINAL else run.get("due") is not None
        for run in runs
    )


def _is_batch_due(documents: Documents) -> bool:
    collected = (fields for path, fields in documents.items() if _is_in("collected", path))
    return any(fields["due"] is not None for fields in collected)


def _is_comparison_due(documents: Documents) -> bool:
    compared = (fields for path, fields in documents.items() if _is_in(COMPARISONS, path))
    return any(is_to_be_compared(documents, fields) for fields in compared)


def _is_in(collection: str, path: str) -> bool:
    return path.startswith(f"{collection}/") and path.count("/") == 1


def _goes_on(documents: Documents, path: str) -> bool:
    run = documents.get(run_path(path.split("/")[1]))
    return run is not None and run["status"] not in _FINAL
