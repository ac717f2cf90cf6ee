"""Cron expressions: which ones are taken, and when they are due next.

Takes only what Cloud Scheduler's documentation and cronsim agree on; knows no flow and no clock.
Source: https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

_ITEM = re.compile(
    r"(?P<first>[0-9]{1,2}|[A-Z]{3})(?:-(?P<last>[0-9]{1,2}|[A-Z]{3}))?(?:/(?P<step>[0-9]+))?"
)
_STEPS = re.compile(r"\*(?:/(?P<step>[0-9]+))?")
_UTC = frozenset({"UTC", "Etc/UTC"})
_NO_PLACE = re.compile(r"(?:posix|right)/.*|localtime|posixrules|Factory")
_BEGINNING = datetime(2000, 1, 1)  # noqa: DTZ001 - no zone changes whether an expression is ever due


class CronError(ValueError):
    """The expression is not taken; says why and what to write."""


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def require(self, text: str) -> None:
        """Raises CronError."""
        steps = _STEPS.fullmatch(text)
        if steps is not None:
            self._step(text, steps["step"])
            return
        for item in text.split(","):
            self._item(item)

    def _item(self, item: str) -> None:
        found = _ITEM.fullmatch(item)
        if found is None:
            raise CronError(
                self._about(item, f"takes {self._taken()}, a-b, a-b/n, lists, * or */n")
            )
        first = self._value(found["first"])
        if found["last"] is None:
            if found["step"] is not None:
                written = f"{found['first']}-{self._end(found['first'])}/{found['step']}"
                raise CronError(self._about(item, f"a step needs a range; write {written}"))
            return
        last = self._value(found["last"])
        if self.names and self.high == _SUNDAY == last:
            raise CronError(self._about(item, "7 ends no range; list Sunday as 0 beside it"))
        if last < first:
            raise CronError(self._about(item, "a range runs upwards; write two, with a comma"))
        self._step(item, found["step"])

    def _value(self, text: str) -> int:
        if text in self.names:
            return self.names.index(text) + self.low
        if not text.isdigit() or not self.low <= int(text) <= self.high:
            raise CronError(self._about(text, f"takes {self._taken()}"))
        return int(text)

    def _step(self, item: str, step: str | None) -> None:
        if step is not None and not 1 <= int(step) <= self.high:
            raise CronError(self._about(item, f"a step is 1 to {self.high}"))

    def _end(self, first: str) -> str:
        """What a range that begins so would end with."""
        if first in self.names:
            return self.names[-1]
        return str(self.high - 1 if self.high == _SUNDAY else self.high)

    def _taken(self) -> str:
        names = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return f"{self.low}-{self.high}{names}"

    def _about(self, item: str, what: str) -> str:
        return f"{self.name} {item!r}: {what}"


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SUNDAY = 7
_DAY, _WEEKDAY = 2, 4
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, _SUNDAY, _WEEKDAYS),
)


def require_cron(cron: str) -> None:
    """Raises CronError where an expression is not taken, or is never due."""
    given = cron.split(" ")
    if len(given) != len(_FIELDS):
        raise CronError(
            "a schedule has five fields with one space between them: minute, hour, day of the"
            " month, month, day of the week, e.g. `0 9 * * 1-5`"
        )
    for field, text in zip(_FIELDS, given, strict=True):
        field.require(text)
    days, weekdays = given[_DAY], given[_WEEKDAY]
    if days != "*" and weekdays != "*" and "*" in days + weekdays:
        raise CronError(
            f"day of the month {days!r} and day of the week {weekdays!r}: crons disagree whether"
            " both must hold or one; write a-b/n instead of */n where either will do"
        )
    try:
        next(CronSim(cron, _BEGINNING))
    except (CronSimError, StopIteration) as error:
        raise CronError("it is never due: no month that it names has such a day") from error


def require_zone(time_zone: str) -> None:
    """Raises CronError where there is no such time zone."""
    if not _NO_PLACE.fullmatch(time_zone):
        try:
            ZoneInfo(time_zone)
        except (OSError, ValueError, KeyError):  # no name, no zone, or a file that is none
            pass
        else:
            return
    close = get_close_matches(time_zone, sorted(available_timezones()), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ", such as Europe/Berlin"
    raise CronError(f"{time_zone!r} is no time zone of the IANA database{hint}")


def next_due(cron: str, time_zone: str, after: datetime) -> datetime:
    """The first instant after `after` at which the expression is due, in its time zone.

    A time of the day that the clocks skip is due when they have; one that comes twice is due once,
    at its first, unless minute or hour is `*` or `*/n`.
    """
    zone: tzinfo = UTC if time_zone in _UTC else ZoneInfo(time_zone)
    instants = CronSim(cron, after.astimezone(zone))
    # In an hour that comes twice, cronsim begins anew at its first pass.
    return next(due for due in instants if due.astimezone(UTC) > after)
