"""What the steps of a run leave beside their results: its state, and their progress.

The public, documented layout of `runs/{run_id}/context` and `runs/{run_id}/progress`.
"""

from __future__ import annotations

from datetime import datetime

from shared.domain.model import Json
from shared.domain.records import Record, run_path


def state_path(run_id: str) -> str:
    return f"{run_path(run_id)}/context/state"


def progress_of(run_id: str) -> str:
    """The collection of what the run's steps have told."""
    return f"{run_path(run_id)}/progress"


def progress_path(run_id: str, step: str, n: int) -> str:
    return f"{progress_of(run_id)}/{step}-{n}"


class StateRecord(Record):
    """`runs/{run_id}/context/state`: the state of a typed flow's context, once it was edited."""

    JSON_FIELDS = frozenset({"state"})

    state: Json
    edits: int = 0
    expire_at: datetime


class ProgressRecord(Record):
    """`runs/{run_id}/progress/{step}-{n}`: the step's nth progress event, of its latest attempt."""

    JSON_FIELDS = frozenset({"data"})

    run_id: str
    step: str
    n: int
    event: str
    data: Json
    at: datetime
    expire_at: datetime
