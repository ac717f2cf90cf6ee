"""The flow that undoes a run: what its steps declare as `compensate`, in reverse order.

Pure: the same run in the same state gives the same version. Knows what has succeeded, not how that
is found out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.domain.flow import Flow
from shared.domain.version import FlowVersion, Undoing, UndoneItems

PREFIX = "undo_"  # of a step that undoes another
SUFFIX = "-undo"  # of a flow that undoes another, and of the id of such a run
NAME_LENGTH = 58  # of what gets one of them: both kinds of names have 63 characters at most


@dataclass(frozen=True)
class Done:
    """A step that has succeeded and can be undone; of a mapped one, those items that have."""

    step: str
    finished_at: datetime
    items: tuple[int, ...] | None = None


def undo_run_id(run_id: str) -> str:
    """The run that undoes this one, if there is one: a run is undone at most once."""
    return f"{run_id}{SUFFIX}"


def undoing_of(
    version: FlowVersion, done: Iterable[Done], sources: Mapping[str, str]
) -> FlowVersion | None:
    """The version that undoes what is `done`, what ended last first; None where nothing is.

    `sources` are the steps whose outputs can be read, each with the step that its output is of.
    """
    order = {name: at for at, name in enumerate(version.flow.steps)}
    latest_first = sorted(done, key=lambda one: (one.finished_at, order[one.step]), reverse=True)
    if not latest_first:
        return None
    chain = [PREFIX + one.step for one in latest_first]
    flow = Flow.model_validate(
        {
            "flow": version.flow.flow + SUFFIX,
            "on": "call",
            "description": f"Undoes a run of {version.flow.flow}.",
            "steps": {
                name: _step(version.flow, one.step, chain, at)
                for at, (name, one) in enumerate(zip(chain, latest_first, strict=True))
            },
        }
    )
    prompts = {
        asked: version.prompts[asked]
        for one in latest_first
        if (asked := _compensation(version.flow, one.step).get("prompt")) is not None
    }
    items = {
        PREFIX + one.step: UndoneItems(step=one.step, indexes=one.items)
        for one in latest_first
        if one.items is not None
    }
    undoing = FlowVersion(
        flow=flow,
        prompts=prompts,
        undoing=Undoing(items=items),
        collections=version.collections,
    )
    read = undoing.wanted(chain[0])
    recalls = {name: sources[name] for name in order if name in read and name in sources}
    return undoing.model_copy(update={"undoing": Undoing(items=items, recalls=recalls)})


def _step(flow: Flow, step: str, chain: Sequence[str], at: int) -> dict[str, Any]:
    """The step that undoes `step`, as the `at`-th of the chain."""
    declared = _compensation(flow, step)
    if at > 0:
        declared["needs"] = [chain[at - 1]]
    if declared.get("on_error") == "continue" and at + 1 < len(chain):
        declared["on_error"] = {"goto": chain[at + 1]}  # which needs it, too: it runs either way
    foreach = flow.steps[step].foreach
    if foreach is not None:
        declared["foreach"] = {"in": foreach.source, "max_parallel": foreach.max_parallel}
    return declared


def _compensation(flow: Flow, step: str) -> dict[str, Any]:
    compensation = flow.steps[step].compensate
    assert compensation is not None
    return compensation.model_dump(mode="json", by_alias=True, exclude_unset=True)
