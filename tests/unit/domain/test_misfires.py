"""Missed and late ticks: which still count, by the schedule's policy and the time alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.starts.misfires import AT_ONCE, Gap, gap, ids_of, is_too_late
from shared.domain.starts.schedules import Schedule

DAILY, HOURLY, MINUTELY = "0 3 * * *", "0 * * * *", "* * * * *"


def at(clock: str, day: int = 2) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def schedule(cron: str, misfire: str = "once", zone: str = "Etc/UTC", grace: float = 600):
    fields = {"cron": cron, "misfire": misfire, "time_zone": zone, "grace": grace}
    return Schedule.model_validate(fields)


@pytest.mark.parametrize(
    ("cron", "misfire", "checked", "now", "due", "until"),
    [
        # Nothing is missing before its grace is over.
        (DAILY, "once", "02:00", "03:09", [], None),
        (DAILY, "once", "02:00", "03:10", ["03:00"], "03:00"),
        (DAILY, "once", "02:00", "20:00", ["03:00"], "19:50"),
        (DAILY, "once", "03:00", "20:00", [], None),
        # A later tick does for those before it.
        (HOURLY, "once", "00:30", "03:30", ["03:00"], "03:20"),
        (HOURLY, "once", "00:30", "03:05", [], "02:55"),
        (MINUTELY, "once", "00:30", "03:05", [], "02:55"),
        # Each of them counts.
        (HOURLY, "all", "00:30", "03:30", ["01:00", "02:00", "03:00"], "03:20"),
        (HOURLY, "all", "00:30", "03:05", ["01:00", "02:00"], "02:55"),
        # None does.
        (HOURLY, "skip", "00:30", "03:30", [], "03:20"),
    ],
)
def test_what_is_looked_for(
    cron: str, misfire: str, checked: str, now: str, due: list[str], until: str | None
) -> None:
    found = gap(schedule(cron, misfire), at(checked), at(now))
    assert found == Gap(tuple(map(at, due)), at(until) if until else None)


def test_a_day_is_looked_back_and_no_more() -> None:
    found = gap(schedule(HOURLY, "all"), at("00:30", day=2), at("00:30", day=20))
    assert found.due == tuple(at("01:00", day=19) + timedelta(hours=n) for n in range(24))


def test_many_ticks_are_looked_at_in_portions() -> None:
    first = gap(schedule(MINUTELY, "all"), at("00:00"), at("05:00"))
    assert (len(first.due), first.until) == (AT_ONCE, at("01:40"))
    assert first.until is not None
    assert gap(schedule(MINUTELY, "all"), first.until, at("05:00")).due[0] == at("01:41")


@pytest.mark.parametrize(
    ("cron", "checked", "expected"),
    [
        # The clocks of Berlin skip 2026-03-29 02:00 to 03:00: 02:30 is due at 03:00, 01:00 UTC.
        ("30 2 * * *", datetime(2026, 3, 28, 12, tzinfo=UTC), ["2026-03-29T01:00"]),
        # They show 2026-10-25 02:30 twice: it is due at the first.
        ("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=UTC), ["2026-10-25T00:30"]),
        # Each hour is an hour.
        (
            "30 * * * *",
            datetime(2026, 10, 24, 23, 0, tzinfo=UTC),
            [
                f"2026-10-{day}T{hour:02}:30"
                for day, hour in [(24, 23), *((25, h) for h in range(13))]
            ],
        ),
    ],
)
def test_clocks_that_change_neither_lose_a_tick_nor_make_one_up(
    cron: str, checked: datetime, expected: list[str]
) -> None:
    now = checked + timedelta(hours=14)
    found = gap(schedule(cron, "all", "Europe/Berlin", grace=60), checked, now)
    assert [f"{due:%Y-%m-%dT%H:%M}" for due in found.due] == expected


@pytest.mark.parametrize(
    ("cron", "misfire", "published", "now", "late"),
    [
        (DAILY, "skip", "03:00", "03:10", False),
        (DAILY, "skip", "03:00", "03:11", True),
        (DAILY, "once", "03:00", "20:00", False),
        (DAILY, "once", "02:59", "20:00", False),  # a moment before its minute
        (HOURLY, "once", "03:00", "03:59", False),
        (HOURLY, "once", "03:00", "04:00", True),
        (HOURLY, "all", "03:00", "20:00", False),
    ],
)
def test_what_comes_too_late(
    cron: str, misfire: str, published: str, now: str, *, late: bool
) -> None:
    assert is_too_late(schedule(cron, misfire), at(published), at(now)) is late


def test_a_tick_may_have_come_in_any_minute_of_its_grace_that_is_no_other_ticks() -> None:
    daily = ids_of("f", schedule(DAILY, grace=180), at("03:00"))
    minutes = ["03:00", "02:59", "03:01", "03:02", "03:03"]
    assert daily == tuple(f"f@2026-03-02T{minute}Z" for minute in minutes)
    assert ids_of("f", schedule(MINUTELY), at("03:00")) == ("f@2026-03-02T03:00Z",)
    often = ids_of("f", schedule("*/3 * * * *"), at("03:00"))
    assert [tick[-6:-1] for tick in often] == ["03:00", "02:59", "03:01"]
