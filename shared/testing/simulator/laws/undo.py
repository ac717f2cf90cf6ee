"""Whether what failed runs have done is undone, and their hooks were started, by their records.

Written from the definition, not from the code that undoes: it must not call `undoing_of`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from itertools import pairwise
from typing import Any

from shared.domain.flow import Flow
from shared.domain.instances import instance_of
from shared.domain.records import run_path
from shared.domain.version import FlowVersion
from shared.testing.simulator.engine import Fields

Documents = Mapping[str, Fields]
_UNDO, _STEP = "-undo", "undo_"


def was_heard(before: Fields, after: Fields) -> bool:
    """Whether nothing has become of a run that had ended but that its end was heard."""
    return bool(before.get("unheard")) and {**before, "unheard": False} == {**after}


def is_undone(documents: Documents, run_id: str) -> bool:
    """Whether a run has been opened that undoes this one."""
    return run_path(run_id) + _UNDO in documents


def broken_undoings(
    documents: Documents,
    run_id: str,
    version: FlowVersion,
    undoing: FlowVersion | None,
    unwanted: Container[str] = (),
) -> Iterator[str]:
    """What is wrong with the undoing of a run that has ended; `undoing` is its version.

    One of the `unwanted` may be cancelled: then it need not have come to its end.
    """
    run = documents[run_path(run_id)]
    done = _done(documents, run_id, version.flow)
    if run["status"] == "succeeded" or not done:
        if is_undone(documents, run_id):
            yield f"{run_id} is undone, and there is nothing to undo"
        return
    undo = documents.get(run_path(run_id) + _UNDO)
    if undo is None or undoing is None:
        yield f"{run_id} is not undone"
        return
    if undo["undoes"] != run_id or undo["correlation_id"] != run["correlation_id"]:
        yield f"{run_id} is undone by a run that does not belong to it"
    ends = _ends(done)
    order = [name.removeprefix(_STEP) for name in undoing.flow.steps]
    if sorted(order) != sorted(ends):
        yield f"of {run_id} are undone {order}, and done {sorted(ends)}"
    elif any(ends[one] < ends[next_] for one, next_ in pairwise(order)):
        yield f"{run_id} is undone in the order {order}, and was done at {ends}"
    if undo["status"] != "cancelled" or undo["run_id"] not in unwanted:
        yield from _unfinished(documents, run_id, undo, done)


def broken_hooks(documents: Documents, run_id: str, version: FlowVersion) -> Iterator[str]:
    """What is wrong with the hooks of a run: one for each failure that was heard of."""
    run = documents[run_path(run_id)]
    hooks = [path for path, other in documents.items() if _hooks(path, other) == run_id]
    if version.flow.on_failure is None or run.get("hook_of"):
        wanted = range(1)
    elif run["status"] == "failed":
        wanted = range(1, run["redrives"] + 2)
    else:
        wanted = range(run["redrives"] + 1)
    if len(hooks) not in wanted:
        yield f"{run_id} has {run['status']} after {run['redrives']} redrives: hooks {hooks}"


def _hooks(path: str, fields: Fields) -> str | None:
    return fields.get("hook_of") if path.startswith("runs/") and path.count("/") == 1 else None


def _done(documents: Documents, run_id: str, flow: Flow) -> dict[str, Fields]:
    """The records, by name, of steps and items that have succeeded and say how they are undone."""
    prefix = f"{run_path(run_id)}/steps/"
    found = {path.removeprefix(prefix): one for path, one in documents.items() if prefix in path}
    return {
        name: record
        for name, record in found.items()
        if record["status"] == "succeeded"
        and flow.declared(name).compensate is not None
        and (instance_of(name).index is None) is (flow.declared(name).foreach is None)
    }


def _ends(done: Mapping[str, Fields]) -> dict[str, Any]:
    """By step: when it, or the last of its items, ended."""
    ends: dict[str, Any] = {}
    for name, record in sorted(done.items(), key=lambda pair: pair[1]["finished_at"]):
        ends[instance_of(name).step] = record["finished_at"]
    return ends


def _unfinished(
    documents: Documents, run_id: str, undo: Fields, done: Mapping[str, Fields]
) -> Iterator[str]:
    """What the undoing has not come to."""
    if undo["status"] != "succeeded":
        yield f"the undoing of {run_id} has {undo['status']}"
    yield from _items(documents, run_id, done)


def _items(documents: Documents, run_id: str, done: Mapping[str, Fields]) -> Iterator[str]:
    """As many items are undone as were done."""
    mapped = {instance_of(name).step for name in done if instance_of(name).index is not None}
    for step in mapped:
        prefix = f"{run_path(run_id)}{_UNDO}/steps/{_STEP}{step}["
        undone = sum(path.startswith(prefix) for path in documents)
        were = sum(instance_of(name).step == step for name in done)
        if undone != were:
            yield f"{undone} items of {step} of {run_id} are undone, and {were} were done"
