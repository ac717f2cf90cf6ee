"""A flow's schedule, and the event that says that it is due, as Cloud Scheduler publishes it.

Decides what makes two publications the same tick. Must not know when a schedule is due.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from shared.domain.durations import Seconds
from shared.domain.envelope import Message
from shared.domain.model import Declared, Json

DUE = "segue.schedule.due"  # type of the event; its subject is the flow
CHECK = "segue.schedule.check"  # type of the event that has `route` look for missed ticks
CHECKS = "*/5 * * * *"  # when it comes
SOURCE = "/schedules"
FLOW_NAME = r"^[a-z][a-z0-9-]{0,62}$"
_NAME = re.compile(FLOW_NAME)

Cron = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\S+( \S+){4}$",
            "examples": ["0 9 * * 1-5", "*/15 * * * *"],
        }
    ),
]


class Schedule(Declared):
    """When a flow starts by itself."""

    cron: Cron = Field(
        description="Minute, hour, day of the month, month and day of the week, as in cron."
    )
    time_zone: str = Field(
        "Etc/UTC", description="Of the IANA time zone database, e.g. Europe/Berlin."
    )
    data: dict[str, Json] = Field(default_factory=dict, description="The event's data.")
    misfire: Literal["skip", "once", "all"] = Field(
        "once", description="Which ticks that nobody sent, or that came too late, still count."
    )
    grace: Seconds = Field(600, ge=60, le=43200, description="How late a tick may come.")


def tick(flow: str, schedule: Schedule) -> Message:
    """What is published when the schedule is due."""
    data = json.dumps(schedule.data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Message(data.encode(), tick_attributes(flow))


def tick_attributes(flow: str) -> dict[str, str]:
    """Neither id nor time: the attributes of a Cloud Scheduler job are the same each time."""
    return {"ce-type": DUE, "ce-source": SOURCE, "ce-subject": flow}


def late_tick(flow: str, schedule: Schedule, due: datetime) -> Message:
    """A tick that was missed, as the event that it would have been when it was due."""
    at = due.astimezone(UTC)
    about = {"ce-id": tick_id_at(flow, at), "ce-time": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    plain = tick(flow, schedule)
    return Message(plain.data, {**plain.attributes, **about})


def check_message() -> Message:
    """What is published for missed ticks to be looked for."""
    return Message(b"{}", {"ce-type": CHECK, "ce-source": SOURCE})


def tick_id(attributes: Mapping[str, str], published_at: datetime) -> str | None:
    """The id of a tick that brought none: its flow and the minute it was published in.

    So a tick that Cloud Scheduler publishes twice within its minute is one event, while a job that
    is run by hand is another. It follows from the message alone, so that it stays the same whatever
    is deployed between two deliveries. None for any other message.
    """
    flow = attributes.get("ce-subject", "")
    if attributes.get("ce-type") != DUE or attributes.get("ce-id") or not _NAME.fullmatch(flow):
        return None
    return tick_id_at(flow, published_at)


def tick_id_at(flow: str, at: datetime) -> str:
    """The id of a tick that was published in that minute."""
    return f"{flow}@{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
