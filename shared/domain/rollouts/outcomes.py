"""How well a run did, as somebody says afterwards: `runs/{run_id}/outcomes/{name}`."""

from __future__ import annotations

from datetime import datetime

from shared.domain.ids import signal_id
from shared.domain.recording import Record


def outcomes_of(run_id: str) -> str:
    """The collection of a run's outcomes."""
    return f"runs/{run_id}/outcomes"


def outcome_path(run_id: str, name: str) -> str:
    return f"{outcomes_of(run_id)}/{signal_id(name)}"


class OutcomeRecord(Record):
    """The last value of its name, by the time of the event that brought it."""

    run_id: str
    name: str
    value: bool | int | float
    by: str | None = None
    at: datetime
    event: str  # the key of the event that brought it
    expire_at: datetime
