"""What is stored of events that are collected for batches.

An event is collected once for each flow and key; a batch is known by the first event in it.
"""

from __future__ import annotations

from datetime import datetime

from shared.domain import ids
from shared.domain.model import Json
from shared.domain.records import Record
from shared.domain.starts.batches import MOST

COLLECTION = "collected"
SOURCE = "//segue/batches"


class CollectedRecord(Record):
    """`collected/{id}`: an event that waits for the others of its batch, or has been in one.

    `line` is the flow's key that it is collected for. `due` is when it has waited long enough; of
    a batch that has been closed the first event has one, until the batch was published.
    """

    JSON_FIELDS = frozenset({"key"})

    line: str
    flow: str
    key: Json = None
    event_key: str
    correlation_id: str
    size: int
    wait: float
    adaptive: bool = False
    max: int = MOST
    bytes: int
    at: datetime
    open: bool = True
    batch: str | None = None
    due: datetime | None = None
    expire_at: datetime


def line_of(flow: str, key: str) -> str:
    """Names what the events of one flow and key are collected for; `key` is its JSON."""
    return ids.digest("batch", flow, key)


def collected_path(line: str, event_key: str) -> str:
    return f"{COLLECTION}/{ids.digest('collected', line, event_key)}"


def batch_id(line: str, first: str) -> str:
    """The event id of a batch, by the key of the first event in it."""
    return ids.digest("batched", line, first, length=24)
