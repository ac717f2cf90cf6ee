"""What is stored of a key by which the runs of a flow are controlled.

Its document serialises who is admitted; who is under way is asked of the runs themselves.
"""

from __future__ import annotations

from datetime import datetime

from shared.domain.records import Failure, Record
from shared.domain.starts.control import Over

COLLECTION = "control"


def control_path(key: str) -> str:
    return f"{COLLECTION}/{key}"


class ControlRecord(Record):
    """`control/{key}`. `serial` rises with each run that is admitted, and with each that begins.

    `limit`, `over` and `in_order` are what the flow said last. `next_arrival` is the theoretical
    arrival time of its rate. `pending` is the run that is put off until nothing more comes before
    `quiet_at`; `since` the beginning of that. While somebody waits, there is a `look_at`: then
    sweep looks whether one can begin. `batch_size` is how many events its next batch has, where
    that follows the load.
    """

    flow: str
    key: str
    limit: int | None = None
    over: Over = "wait"
    in_order: bool = False
    serial: int = 0
    next_arrival: datetime | None = None
    pending: str | None = None
    since: datetime | None = None
    quiet_at: datetime | None = None
    look_at: datetime | None = None
    batch_size: int | None = None
    expire_at: datetime


# -- why a run was cancelled before it began ----------------------------------------------------


def dropped(limit: int, key: str) -> Failure:
    shared = f" of key {key!r}" if key else ""
    return Failure(
        code="Dropped",
        message=f"{limit} runs{shared} were under way, as many as `concurrency` allows at once."
        " Publish the event again under another id, or let runs wait: `over: wait`.",
    )


def replaced(by: str) -> Failure:
    return Failure(
        code="Replaced",
        message=f"run {by} has taken its place, as `concurrency` says: `over: replace`.",
    )


def debounced(by: str) -> Failure:
    return Failure(
        code="Debounced",
        message=f"a later event came before it was quiet: run {by} stands for both, as `debounce`"
        " says.",
    )
