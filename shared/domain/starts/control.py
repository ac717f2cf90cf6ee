"""Flow control by key: what a flow may say of when its runs begin, and the decisions behind it.

Pure: a decision follows from what is declared, what is stored of the key, and the time given.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from shared.domain import ids
from shared.domain.durations import Seconds
from shared.domain.expressions import Variables, evaluate
from shared.domain.model import Declared
from shared.errors import ExpressionError

MOST_AT_ONCE = 1000  # runs of one key that a flow can let be under way together
Over = Literal["wait", "drop", "replace"]

_KEY = "Expression over `event`; runs with equal values share it. Without it, all runs do."


class Concurrency(Declared):
    """So many runs are under way at once."""

    limit: int = Field(ge=1, le=MOST_AT_ONCE)
    key: str | None = Field(None, description=_KEY)
    over: Over = Field(
        "wait",
        description="A run too many waits, is dropped, or replaces the one that began first.",
    )


class Rate(Declared):
    """So many runs begin in such a time; the others wait."""

    limit: int = Field(ge=1, le=1_000_000)
    per: Seconds
    key: str | None = Field(None, description=_KEY)
    burst: int | None = Field(
        None, ge=1, le=1_000_000, description="Runs that may begin at once; `limit` by default."
    )


class Debounce(Declared):
    """Only the last event of a quiet period starts a run."""

    quiet: Seconds = Field(alias="for", description="How long no other event may come.")
    key: str | None = Field(None, description=_KEY)
    at_most: Seconds | None = Field(
        None, description="A run begins after so long, however many events come."
    )


class Turn(StrEnum):
    """Where a run with flow control stands; one that has ended stands nowhere."""

    WAITING = "waiting"
    BEGUN = "begun"


# -- keys ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """`id` names the key's document; `text` is for people."""

    id: str
    text: str


def key_of(flow: str, expression: str | None, variables: Variables) -> Key:
    """The key that an event has in a flow. Raises ExpressionError."""
    value = None if expression is None else evaluate(expression, variables)
    try:
        text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError) as error:
        raise ExpressionError(f"`{expression}` gives no JSON value: {error}") from error
    shown = "" if expression is None else value if isinstance(value, str) else text
    return Key(ids.digest("control", flow, "" if expression is None else text), shown[:200])


# -- rate ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slot:
    """When a run may begin, and the theoretical arrival time of the next one."""

    begins: datetime
    next_arrival: datetime


def slot_of(rate: Rate, next_arrival: datetime | None, now: datetime) -> Slot:
    """The earliest time that the rate allows, which is taken by that.

    The generic cell rate algorithm, as virtual scheduling (ITU-T I.371, annex A): a cell conforms
    unless it comes more than the tolerance before its theoretical arrival time. One that does not
    is not lost here; it gets the first time at which it does.
    """
    interval = timedelta(seconds=rate.per / rate.limit)
    tolerance = interval * ((rate.burst or rate.limit) - 1)
    expected = max(next_arrival or now, now)
    return Slot(max(expected - tolerance, now), expected + interval)


# -- debounce -----------------------------------------------------------------------------------


def quiet_until(debounce: Debounce, since: datetime, now: datetime) -> datetime:
    """When the run of an event that comes now begins, if no other comes; `since`: the first one."""
    until = now + timedelta(seconds=debounce.quiet)
    if debounce.at_most is None:
        return until
    return max(min(until, since + timedelta(seconds=debounce.at_most)), now)


# -- concurrency --------------------------------------------------------------------------------


class Verdict(StrEnum):
    """What becomes of a run about to be opened."""

    BEGIN = "begin"
    WAIT = "wait"
    DROP = "drop"
    REPLACE = "replace"


def admit(limit: int | None, over: Over, present: int, due: datetime, now: datetime) -> Verdict:
    """`present` are those of its key that have begun or wait; `due` is when it may begin at all.

    One that others wait before waits too, whether or not there is room: they come first.
    """
    if limit is not None and present >= limit:
        return {"wait": Verdict.WAIT, "drop": Verdict.DROP, "replace": Verdict.REPLACE}[over]
    return Verdict.BEGIN if due <= now else Verdict.WAIT
