"""A tick as Cloud Scheduler publishes it, and what makes two of them one event."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.domain.events import from_message
from shared.domain.starts.schedules import Schedule, tick, tick_attributes, tick_id

NINE = datetime(2026, 3, 1, 9, 0, 0, tzinfo=UTC)


def test_a_tick_has_three_attributes_and_the_schedules_data() -> None:
    schedule = Schedule(cron="0 9 * * *", data={"report": "täglich", "a": [1, None]})
    message = tick("nightly", schedule)
    assert message.attributes == {
        "ce-type": "segue.schedule.due",
        "ce-source": "/schedules",
        "ce-subject": "nightly",
    }
    assert json.loads(message.data) == {"report": "täglich", "a": [1, None]}
    event = from_message(message.attributes, message.data, message_id="17", published_at=NINE)
    assert (event.id, event.type, event.subject) == ("17", "segue.schedule.due", "nightly")


def test_a_schedule_without_data_sends_an_empty_object() -> None:
    assert tick("nightly", Schedule(cron="0 9 * * *")).data == b"{}"


@pytest.mark.parametrize(
    ("published", "same"),
    [
        (NINE, True),
        (NINE + timedelta(seconds=59.999), True),
        (NINE.astimezone(timezone(timedelta(hours=2))), True),
        (NINE + timedelta(seconds=60), False),
        (NINE - timedelta(microseconds=1), False),
        (NINE + timedelta(days=1), False),
    ],
)
def test_publications_within_a_minute_are_one_tick(published: datetime, *, same: bool) -> None:
    of_nine = tick_id(tick_attributes("nightly"), NINE)
    assert of_nine == "nightly@2026-03-01T09:00Z"
    assert (tick_id(tick_attributes("nightly"), published) == of_nine) is same


def test_ticks_of_two_flows_are_two() -> None:
    assert tick_id(tick_attributes("a"), NINE) != tick_id(tick_attributes("b"), NINE)


@pytest.mark.parametrize(
    "change",
    [
        {"ce-id": "1"},
        {"ce-type": "other"},
        {"ce-subject": ""},
        {"ce-subject": "Not A Flow"},
        {"ce-subject": "x" * 2000},
    ],
)
def test_what_is_no_tick_or_has_an_id_is_given_none(change: dict[str, str]) -> None:
    assert tick_id({**tick_attributes("nightly"), **change}, NINE) is None
    assert tick_id({}, NINE) is None
