"""What is kept of a flow's schedule: how far its ticks are accounted for."""

from __future__ import annotations

from datetime import datetime

from shared.domain.records import Record


def schedule_path(flow: str) -> str:
    return f"schedules/{flow}"


class ScheduleRecord(Record):
    """`schedules/{flow}`: up to when its ticks are known to have come, or not to count."""

    flow: str
    cron: str
    time_zone: str
    checked: datetime
