"""A tick that nobody sent is made up for as its schedule says, and one that is late turned away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.records import EventRecord, RunRecord
from shared.domain.starts.schedule_records import ScheduleRecord
from shared.domain.starts.schedules import check_message, tick
from shared.domain.version import FlowVersion
from tests.functional.system import System, flow

STEPS = "a: {call: test.count, with: {name: a}}"
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def hourly(misfire: str = "once", cron: str = "0 * * * *") -> FlowVersion:
    on = f"on: {{schedule: {{cron: '{cron}', misfire: {misfire}}}}}"
    return flow(STEPS, name="hourly", more=on)


async def system_of(*flows: FlowVersion) -> System:
    """At 00:30, its schedules having been seen."""
    system = System(flows)
    move(system, "00:30")
    await check(system)
    return system


def move(system: System, clock: str) -> None:
    hour, minute = map(int, clock.split(":"))
    system.world.clock.advance(
        MIDNIGHT + timedelta(hours=hour, minutes=minute) - system.world.clock.now()
    )


async def check(system: System) -> None:
    message = check_message()
    await system.send("events", message.data, message.attributes)
    await system.run()


async def publish(system: System, version: FlowVersion) -> None:
    message = tick("hourly", version.flow.on.schedule)  # type: ignore[union-attr]
    await system.send("events", message.data, message.attributes)
    system.pipeline.collect()  # it has been published now


def ticks(system: System) -> list[str]:
    """The hours and minutes of the events whose runs were opened."""
    runs = sorted(system.stored("runs", RunRecord), key=lambda run: run.event_id)
    assert {run.status for run in runs} <= {"succeeded"}
    return [run.event_id[-6:-1] for run in runs]


@pytest.mark.parametrize(
    ("misfire", "expected"),
    [("once", ["03:00"]), ("all", ["01:00", "02:00", "03:00"]), ("skip", [])],
)
async def test_missed_ticks_are_made_up_for_as_the_schedule_says(
    misfire: str, expected: list[str]
) -> None:
    system = await system_of(hourly(misfire))
    move(system, "03:20")
    for _ in range(3):
        await check(system)
    assert ticks(system) == expected
    events = {event.event["time"] for event in system.stored("events", EventRecord)}
    assert events == {f"2026-03-02T{clock}:00Z" for clock in expected}
    told = [text for severity, text, _ in system.world.telemetry.lines if severity == "WARNING"]
    assert len(told) == len(expected)


async def test_a_tick_that_came_is_not_made_up_for() -> None:
    system = await system_of(hourly())
    for clock in ("01:00", "02:03"):  # one in its minute, one later
        move(system, clock)
        await publish(system, hourly())
        await system.run()
    for clock in ("02:05", "02:30"):
        move(system, clock)
        await check(system)
    assert ticks(system) == ["01:00", "02:03"]


async def test_a_tick_that_still_waits_in_the_topic_is_the_same_when_it_comes() -> None:
    system = await system_of(hourly())
    move(system, "01:00")
    await publish(system, hourly())
    [waiting] = system.pipeline.collect()
    delivery = system.pipeline.take(waiting)
    move(system, "01:30")
    await check(system)
    await system.pipeline.deliver(delivery)
    await system.run()
    assert ticks(system) == ["01:00"]


async def test_what_was_due_before_a_schedule_was_known_is_not_made_up_for() -> None:
    system = System([hourly()])
    for clock in ("01:05", "01:20", "01:40"):
        move(system, clock)
        await check(system)
    assert ticks(system) == []
    move(system, "02:15")
    await check(system)
    assert ticks(system) == ["02:00"]


async def test_a_changed_schedule_counts_from_then_on() -> None:
    system = await system_of(hourly("all"))
    move(system, "03:20")
    system.deploy(hourly("all", cron="30 * * * *"))
    await check(system)
    assert ticks(system) == []
    move(system, "03:45")
    await check(system)
    assert ticks(system) == ["03:30"]


async def test_a_check_that_dies_before_it_has_written_down_what_it_did_repeats_it() -> None:
    system = await system_of(hourly("all"))
    move(system, "02:20")
    message = check_message()
    await system.send("events", message.data, message.attributes)
    [waiting] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(waiting), "emitted")
    await system.run()
    assert ticks(system) == ["01:00", "02:00"]


async def test_a_check_is_no_event_and_costs_a_read_and_where_something_was_due_a_write() -> None:
    system = await system_of(hourly(), flow(STEPS, name="plain"))
    documents = system.world.documents
    assert set(documents.documents) == {"schedules/hourly"}
    writes = documents.writes.copy()
    move(system, "00:55")
    await check(system)
    assert documents.writes == writes
    await publish_at(system, "01:00")
    move(system, "01:20")
    await check(system)
    await check(system)
    assert documents.writes["schedules/hourly"] == 2
    [record] = system.stored("schedules", ScheduleRecord)
    assert record.checked.replace(second=0) == MIDNIGHT + timedelta(minutes=70)


async def publish_at(system: System, clock: str) -> None:
    move(system, clock)
    await publish(system, hourly())
    await system.run()


@pytest.mark.parametrize(
    ("misfire", "delay", "expected"),
    [
        ("skip", "01:11", []),
        ("skip", "01:09", ["01:00"]),
        ("once", "01:50", ["01:00"]),
        ("once", "02:00", []),
        ("all", "05:00", ["01:00"]),
    ],
)
async def test_a_tick_that_comes_late_counts_as_its_schedule_says(
    misfire: str, delay: str, expected: list[str]
) -> None:
    system = await system_of(hourly(misfire))
    move(system, "01:00")
    await publish(system, hourly(misfire))
    move(system, delay)
    await system.run()
    assert ticks(system) == expected
    assert [event.event["id"][-6:-1] for event in system.stored("events", EventRecord)] == ["01:00"]
    told = [text for severity, text, _ in system.world.telemetry.lines if "too late" in text]
    assert len(told) == 1 - len(expected)


async def test_a_run_that_is_open_goes_on_however_late_its_tick_comes_again() -> None:
    system = await system_of(hourly("skip"))
    move(system, "01:00")
    await publish(system, hourly("skip"))
    [waiting] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(waiting), "committed")
    move(system, "04:00")
    await system.run()
    assert ticks(system) == ["01:00"]


async def test_an_event_with_an_id_is_never_late() -> None:
    system = await system_of(hourly("skip"))
    message = tick("hourly", hourly("skip").flow.on.schedule)  # type: ignore[union-attr]
    await system.send("events", message.data, {**message.attributes, "ce-id": "by-hand-04:00Z"})
    system.pipeline.collect()
    move(system, "09:00")
    await system.run()
    assert ticks(system) == ["04:00"]
