"""What must hold of children: each is its step's, opened once, and its step ends as it has.

Written from the definition: by nothing but the records of both runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.domain.instances import instance_of
from shared.domain.records import run_path, step_path
from shared.testing.simulator.engine import Fields


def orphan(documents: Mapping[str, Fields], run_id: str, run: Fields) -> str | None:
    """What is wrong with a run that was opened as a child: its step has never asked for it."""
    parent = run.get("parent")
    step = documents.get(step_path(parent["run_id"], parent["step"])) if parent else None
    child = step.get("child") if step else None
    is_replaced = child is not None and child["nth"] > 1  # it is late, and will be cancelled
    if parent is None or (child is not None and (child["run_id"] == run_id or is_replaced)):
        return None
    return f"run {run_id} says that it is a child of {parent}, which has not opened it"


def broken_return(documents: Mapping[str, Fields], step: Fields) -> str | None:
    """What is wrong with how a step has ended, by its child as it stands at that moment."""
    child = step.get("child")
    if child is None or step["status"] not in {"succeeded", "failed"} or step.get("fallback"):
        return None
    run = documents.get(run_path(child["run_id"]))
    if instance_of(step.get("step", "")).is_call:
        return _broken_answer(run, json.loads(step["output"]))
    if step["status"] == "succeeded":
        if run is None:  # it was let go
            return None
        output = json.loads(step["output"])
        came = run["status"] == "succeeded" and json.loads(run["outputs"]) == output
        is_let_go = run.get("parent") is None and output == {"run_id": child["run_id"]}
        return None if came or is_let_go else f"its child has {run['status']}, and it {output!r}"
    code = (step["error"] or {}).get("code")
    if code in {"ChildFailed", "ChildCancelled"} and (run is None or run["status"] == "succeeded"):
        return f"it has failed with {code}, and its child has not"
    return None


def _broken_answer(run: Fields | None, output: Any) -> str | None:
    """What is wrong with what a call of an agent's has brought: a failure is an answer, too."""
    status = run["status"] if run is not None else None
    if isinstance(output, dict) and output.keys() == {"error"}:
        return "it tells of an error, and its child of none" if status == "succeeded" else None
    came = run is not None and status == "succeeded" and json.loads(run["outputs"]) == output
    return None if came else f"its child has {status}, and it {output!r}"


def lineage(run_id: str, runs: Mapping[str, Fields], steps: Mapping[str, Fields]) -> str | None:
    """A child's name by its place; None for one that another child has taken the place of.

    Which of several children it was is a matter of chance: a redrive replaces those that cannot
    go on.
    """
    run = runs.get(run_id, {})
    parent = run.get("parent")
    if parent is None:
        return run_id
    step = steps.get(step_path(parent["run_id"], parent["step"]))
    child = step.get("child") if step is not None else None
    if child is not None and child["run_id"] != run_id:
        return None
    above = lineage(parent["run_id"], runs, steps)
    return None if above is None else f"{above}/{parent['step']}"
