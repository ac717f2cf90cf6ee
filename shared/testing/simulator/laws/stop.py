"""What must hold of a run that was cancelled or is paused: nothing of it begins any more.

Reads what the watch knows; notes nothing itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.domain.commands import Cancel, Pause
from shared.domain.records import run_path
from shared.testing.simulator.engine import Change, Fields
from shared.testing.simulator.instance import Work

if TYPE_CHECKING:
    from shared.testing.simulator.invariants import Watch

_OBEYED = {Cancel.type: "cancelled", Pause.type: "paused"}
_BEGUN = frozenset({"running", "waiting"})


def obeyed(watch: Watch, work: Work) -> None:
    """Called where a stage has acknowledged a message: a command may have been carried out."""
    outcome = _OBEYED.get(work.attributes.get("ce-type", ""))
    if outcome is None or work.told is None or work.told.outcome != outcome:
        return
    run_id = json.loads(work.data)["run"]
    run = watch.documents[run_path(run_id)]
    if outcome == "cancelled" or run.get("paused_at") is not None:
        watch.stopped.add(run_id)


def resumed(watch: Watch, run_id: str, after: Fields) -> None:
    """Called for each change of a run."""
    if after.get("paused_at") is None and after["status"] != "cancelled":
        watch.stopped.discard(run_id)


def begins(watch: Watch, change: Change) -> Iterator[tuple[str, str]]:
    """Whether a step begins that must not: of a run that is stopped, or while it is held back."""
    before, after = change.before, change.after
    if after is None or after["status"] not in _BEGUN:
        return
    run_id = change.path.split("/")[1]
    if before is not None and is_held(before):
        yield "stopped", f"{change.path} begins while it is held back"
    elif run_id in watch.stopped and (before is None or is_placeholder(before)):
        yield "stopped", f"{change.path} begins, and its run was stopped"


def is_held(step: Fields) -> bool:
    return bool(step["status"] == "pending" and step.get("held"))


def is_placeholder(step: Fields) -> bool:
    """Whether the record only says that the step has not begun."""
    return bool(step["status"] == "pending" and not step.get("attempts") and not step.get("error"))
