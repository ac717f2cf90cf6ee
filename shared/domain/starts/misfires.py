"""Ticks of schedules that nobody sent, or that came too late: which of them still count.

Decides from the schedule and the time alone. Knows no store; who asks tells what has come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.domain.starts.cron import next_due
from shared.domain.starts.schedules import Schedule, tick_id_at

LOOK_BACK = timedelta(hours=24)
AT_ONCE = 100  # ticks that one check looks at; the next one goes on behind them
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Gap:
    """Ticks that must have come by now, oldest first, as far as they still count.

    `until` is how far the schedule is checked when they have been looked at; None where nothing
    was due since, so that there is nothing to write down.
    """

    due: tuple[datetime, ...]
    until: datetime | None = None


def gap(schedule: Schedule, checked: datetime, now: datetime) -> Gap:
    """What was due after `checked` and, by its `grace`, should be there at `now`.

    Looks back LOOK_BACK at most. With `once` the latest counts, and only while none has become
    due since: a later tick does for those before it.
    """
    until = now - timedelta(seconds=schedule.grace)
    due = list(_due_between(schedule, max(checked, now - LOOK_BACK), until))
    if not due:
        return Gap(())
    if schedule.misfire == "all":
        cut = due[:AT_ONCE]
        return Gap(tuple(cut), until if len(cut) == len(due) else cut[-1])
    latest = due[-1:] if schedule.misfire == "once" and _next(schedule, due[-1]) > now else []
    return Gap(tuple(latest), until)


def is_too_late(schedule: Schedule, published_at: datetime, now: datetime) -> bool:
    """Whether a tick that is taken up only now opens no run any more."""
    if now - published_at <= timedelta(seconds=schedule.grace) or schedule.misfire == "all":
        return False
    # A tick may be published a moment before its minute: the one it stands for is not a later one.
    return schedule.misfire == "skip" or _next(schedule, published_at + _MINUTE) <= now


def ids_of(flow: str, schedule: Schedule, due: datetime) -> tuple[str, ...]:
    """The ids that a tick may have that was due then, the likeliest first.

    It is known by the minute it was published in: its own, one within its grace, or the one before
    where a clock was ahead. The minutes of another tick are that one's.
    """
    minutes = [due]
    if _next(schedule, due - 2 * _MINUTE) == due:
        minutes.append(due - _MINUTE)
    end = min(due + timedelta(seconds=schedule.grace), _next(schedule, due) - 2 * _MINUTE)
    late = due + _MINUTE
    while late <= end:
        minutes.append(late)
        late += _MINUTE
    return tuple(tick_id_at(flow, minute) for minute in minutes)


def _due_between(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    """After the one, up to and with the other."""
    due = _next(schedule, after)
    while due <= until:
        yield due
        due = _next(schedule, due)


def _next(schedule: Schedule, after: datetime) -> datetime:
    return next_due(schedule.cron, schedule.time_zone, after).astimezone(UTC)
