"""Cron: what is taken, what is refused and why, and when it is due, clocks changed or not."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime

import pytest

from shared.domain.starts import cron
from shared.domain.starts.cron import CronError, next_due, require_cron, require_zone


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "0 9 * * 1-5",
        "*/15 8-18 * * MON-FRI",
        "0,30 0-23/2 1,15 JAN,JUN-AUG SUN",
        "5-59/15 03 * * 7",
        "0 0 1-31/2 * MON",
        "0 0 */2 * *",
        "0 0 * * */2",
        "0 0 13 * FRI",
        "0 0 29 2 *",
        "0 0 31 2 MON",
    ],
)
def test_what_both_sides_understand_is_taken(expression: str) -> None:
    require_cron(expression)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("0 * * * * *", "five fields"),
        ("0 9  * * *", "five fields with one space"),
        ("0 9 * * * ", "five fields"),
        ("0\t9 * * *", "five fields"),
        ("@daily", "five fields"),
        ("every 15 minutes", "five fields"),
        ("every day of month 09:00", "minute 'every': takes 0-59, a-b, a-b/n, lists"),
        ("60 * * * *", "minute '60': takes 0-59"),
        ("0 24 * * *", "hour '24': takes 0-23"),
        ("0 0 0 * *", "day of the month '0': takes 1-31"),
        ("0 0 * 13 *", "month '13': takes 1-12 or JAN to DEC"),
        ("0 0 * * 8", "day of the week '8': takes 0-7 or SUN to SAT"),
        ("0 0 * * mon", "day of the week 'mon': takes 0-7 or SUN to SAT"),
        ("0 0 * MON *", "month 'MON'"),
        ("0 0 L * *", "day of the month 'L'"),
        ("0 0 LW * *", "day of the month 'LW'"),
        ("0 0 15W * *", "day of the month '15W'"),
        ("0 0 * * 5L", "day of the week '5L'"),
        ("0 0 * * MON#1", "day of the week 'MON#1'"),
        ("0 0 ? * MON", "day of the month '?'"),
        ("H * * * *", "minute 'H'"),
        ("-5 * * * *", "minute '-5'"),
        ("٣ * * * *", "minute '٣'"),
        ("5, * * * *", "minute ''"),
        ("*,5 * * * *", "minute '*'"),
        ("*/5,7 * * * *", "minute '*/5'"),
        ("5/15 * * * *", "a step needs a range; write 5-59/15"),
        ("0 0 * * MON/2", "write MON-SAT/2"),
        ("0 0 * * 1/2", "write 1-6/2"),
        ("30-10 * * * *", "a range runs upwards"),
        ("0 0 * * FRI-MON", "a range runs upwards"),
        ("0 0 * * 5-7", "list Sunday as 0"),
        ("*/0 * * * *", "a step is 1 to 59"),
        ("*/60 * * * *", "a step is 1 to 59"),
        ("0 0 */2 * MON", "crons disagree whether both must hold"),
        ("0 0 13 * */2", "crons disagree"),
        ("0 0 */2 * */2", "crons disagree"),
        ("0 0 30 2 *", "never due"),
        ("0 0 31 2,4,6,9,11 *", "never due"),
    ],
)
def test_what_they_read_differently_or_not_at_all_is_refused(expression: str, told: str) -> None:
    with pytest.raises(CronError) as caught:
        require_cron(expression)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "time_zone", ["UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Asia/Kolkata"]
)
def test_time_zones_are_those_of_the_database(time_zone: str) -> None:
    require_zone(time_zone)


@pytest.mark.parametrize(
    ("time_zone", "told"),
    [
        ("Europe/Berln", "did you mean 'Europe/Berlin'?"),
        ("europe/berlin", "did you mean 'Europe/Berlin'?"),
        ("CEST-2", "is no time zone of the IANA database"),
        ("+02:00", "is no time zone"),
        ("", "is no time zone"),
        ("Europe", "is no time zone"),
        ("../UTC", "is no time zone"),
        ("/etc/localtime", "is no time zone"),
        ("localtime", "is no time zone"),
        ("posix/Europe/Berlin", "did you mean 'Europe/Berlin'?"),
        ("zone.tab", "is no time zone"),
    ],
)
def test_other_time_zones_are_told(time_zone: str, told: str) -> None:
    with pytest.raises(CronError) as caught:
        require_zone(time_zone)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "time_zone", "after", "due"),
    [
        ("* * * * *", "UTC", "2026-03-01T09:00:00", "2026-03-01T09:01:00+00:00"),
        ("* * * * *", "UTC", "2026-03-01T08:59:59.999", "2026-03-01T09:00:00+00:00"),
        ("0 9 * * 1-5", "Europe/Berlin", "2026-03-06T08:00:00", "2026-03-09T09:00:00+01:00"),
        ("0 9 * * 1-5", "Europe/Berlin", "2026-03-27T08:00:00", "2026-03-30T09:00:00+02:00"),
        ("0 0 13 * FRI", "Etc/UTC", "2026-03-07T00:00:00", "2026-03-13T00:00:00+00:00"),
        ("0 0 14 * FRI", "Etc/UTC", "2026-03-13T00:00:00", "2026-03-14T00:00:00+00:00"),
        ("0 0 29 2 *", "Etc/UTC", "2026-03-01T00:00:00", "2028-02-29T00:00:00+00:00"),
        # Clocks go from 02:00 to 03:00 on 29 March 2026.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00", "2026-03-29T03:00:00+02:00"),
        ("15,45 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00", "2026-03-30T02:15:00+02:00"),
        # Clocks go from 03:00 back to 02:00 on 25 October 2026, at 01:00 in UTC.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00", "2026-10-25T02:30:00+02:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00", "2026-10-26T02:30:00+01:00"),
        ("45 2 * * *", "Europe/Berlin", "2026-10-25T01:30:00", "2026-10-26T02:45:00+01:00"),
        ("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:30:00", "2026-10-25T02:00:00+01:00"),
    ],
)
def test_the_next_time_is_that_of_the_time_zone(
    expression: str, time_zone: str, after: str, due: str
) -> None:
    start = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert next_due(expression, time_zone, start).isoformat() == due


def test_utc_needs_no_time_zone_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(cron, "ZoneInfo", missing)
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert next_due("0 13 * * *", "Etc/UTC", noon) == datetime(2026, 3, 1, 13, tzinfo=UTC)
