"""What is stored of a key by which the runs of a flow are controlled.

Its document serialises who is admitted; who is under way is asked of the runs themselves.
"""

from __future__ import annotations

from datetime import datetime

from shared.domain.control import Over
from shared.domain.records import Record

COLLECTION = "control"


def control_path(key: str) -> str:
    return f"{COLLECTION}/{key}"


class ControlRecord(Record):
    """`control/{key}`. `serial` rises with each run that is admitted, and with each that begins.

    `limit`, `over` and `in_order` are what the flow said last. `next_arrival` is the theoretical
    arrival time of its rate. `pending` is the run that is put off until nothing more comes before
    `quiet_at`; `since` the beginning of that. While somebody waits, there is a `look_at`: then
    sweep looks whether one can begin.
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
    expire_at: datetime
