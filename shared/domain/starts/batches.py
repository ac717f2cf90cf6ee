"""Batches: what a flow may say of events that start one run together, and when they are enough.

Pure; what is stored of them is in `collected`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from shared.domain.durations import Seconds
from shared.domain.events import MAX_DATA_BYTES
from shared.domain.model import Declared

MOST = 1000  # events of a batch
ROOM = MAX_DATA_BYTES - 8 * 1024  # bytes for the events of a batch, beside its key


class Batch(Declared):
    """So many events start a run together, or as many as have come in so long."""

    event: str = Field(description="CloudEvents type; `*` stands for any characters.")
    size: int = Field(ge=1, le=MOST)
    wait: Seconds = Field(description="How long the first event waits for the others.")
    key: str | None = Field(
        None, description="Expression over `event`; events with equal values come together."
    )
    adaptive: bool = Field(
        False, description="`size` is where it begins; from there it follows the load."
    )
    max: int | None = Field(
        None,
        ge=1,
        le=MOST,
        description=f"The largest size, where it is adaptive; {MOST} if unsaid.",
    )


def taken(sizes: Sequence[int], size: int, room: int = ROOM) -> tuple[int, bool]:
    """How many of the waiting events go together, and whether that is all that can.

    At least one, and no more bytes than an event may have.
    """
    used = 0
    for at, one in enumerate(sizes[:size]):
        used += one
        if used > room and at > 0:
            return at, True
    count = min(len(sizes), size)
    return count, count >= size


def next_size(size: int, most: int, wait: float, filled_in: float | None) -> int:
    """The size of the next batch of a key, where that follows the load.

    Twice as large, up to `most`, when this one was full before half its wait was over; half as
    large when time ran out (`filled_in` None). Like the window of a sender that probes for room:
    under load there are few runs, each of many events, and without it each event is a run at once.
    """
    if filled_in is None:
        return max(size // 2, 1)
    return min(size * 2, most) if filled_in < wait / 2 else min(size, most)
