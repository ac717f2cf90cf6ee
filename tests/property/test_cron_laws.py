"""Laws of cron: what is taken is due exactly when unix-cron says so, and time only goes forward."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, reject
from hypothesis import strategies as st

from shared.domain.starts.cron import CronError, next_due, require_cron

ZONES = ("Etc/UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu")
STARTS = st.datetimes(datetime(2025, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


Field = tuple[str, frozenset[int]]  # as it is written, and what it stands for
Parts = tuple[Field, ...]


@st.composite
def listed(draw: st.DrawFn, low: int, high: int) -> Field:
    """Numbers and ranges."""
    items, values = [], set[int]()
    for _ in range(draw(st.integers(1, 3))):
        first, step = draw(st.integers(low, high)), draw(st.integers(1, high))
        last = draw(st.integers(first, high))
        ranged = f"{first}-{last}" if step == 1 else f"{first}-{last}/{step}"
        items.append(str(first) if first == last else ranged)
        values.update(range(first, last + 1, step))
    return ",".join(items), frozenset(values)


def starred(low: int, high: int) -> st.SearchStrategy[Field]:
    def field(step: int) -> Field:
        return "*" if step == 1 else f"*/{step}", frozenset(range(low, high + 1, step))

    return st.integers(1, high).map(field)


def all_of(low: int, high: int) -> st.SearchStrategy[Field]:
    return st.just(("*", frozenset(range(low, high + 1))))


def any_of(low: int, high: int) -> st.SearchStrategy[Field]:
    return listed(low, high) | starred(low, high)


TIME = (any_of(0, 59), any_of(0, 23))
MONTHS, DAYS, WEEKDAYS = any_of(1, 12), (1, 31), (0, 6)
crons = (
    st.tuples(*TIME, any_of(*DAYS), MONTHS, all_of(*WEEKDAYS))
    | st.tuples(*TIME, all_of(*DAYS), MONTHS, any_of(*WEEKDAYS))
    | st.tuples(*TIME, listed(*DAYS), MONTHS, listed(*WEEKDAYS))
)


def written(parts: Parts) -> str:
    """The expression; an example that is never due is none."""
    cron = " ".join(text for text, _ in parts)
    try:
        require_cron(cron)
    except CronError as error:
        assert "never due" in str(error), cron  # noqa: PT017 - all else must be taken
        reject()
    return cron


def is_day(day: datetime, parts: Parts) -> bool:
    """By Cloud Scheduler's documentation: either day will do, unless one is unrestricted."""
    (in_month, days), (_, months), (in_week, weekdays) = parts[2:]
    fits = day.day in days, day.isoweekday() % 7 in weekdays
    return (all(fits) if "*" in {in_month, in_week} else any(fits)) and day.month in months


def times_of(day: datetime, parts: Parts) -> list[datetime]:
    """All minutes of a day, in UTC, at which it is due."""
    if not is_day(day, parts):
        return []
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    (_, minutes), (_, hours) = parts[:2]
    return [midnight.replace(hour=h, minute=m) for h in hours for m in minutes]


@given(crons, STARTS)
def test_in_utc_it_is_due_at_the_first_minute_that_fits(parts: Parts, after: datetime) -> None:
    due = next_due(written(parts), "Etc/UTC", after)
    assert due > after
    assert due in times_of(due, parts)
    for days in range((due.date() - after.date()).days + 1):
        times = times_of(after + timedelta(days=days), parts)
        assert not any(after < time < due for time in times)


@given(crons, STARTS, st.sampled_from(ZONES))
def test_everywhere_time_goes_forward_to_a_time_of_the_day_that_fits(
    parts: Parts, after: datetime, zone: str
) -> None:
    cron = written(parts)
    due = next_due(cron, zone, after).astimezone(UTC)
    assert due > after
    assert due == next_due(cron, zone, due - timedelta(microseconds=1)).astimezone(UTC)
    local, before = (at.astimezone(ZoneInfo(zone)) for at in (due, due - timedelta(hours=3)))
    if local.utcoffset() == before.utcoffset():  # else it may be what the clocks have skipped
        assert (local.minute in parts[0][1], local.hour in parts[1][1]) == (True, True)
