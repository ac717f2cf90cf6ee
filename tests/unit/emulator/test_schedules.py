"""The local ticker publishes each tick once, when it is due, of the flows as they are then."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.api_core.exceptions import RetryError, ServiceUnavailable

from emulator.schedules import Ticker
from shared.domain.envelope import Message
from shared.domain.starts.schedules import Schedule, check_message, tick
from shared.runtime.watched_library import library_reader
from shared.testing.memory import ManualClock

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday


class Desk:
    """A folder of flows that somebody edits, a clock and what the ticker published."""

    def __init__(self, prompts: Path) -> None:
        self.flows = prompts / "flows"
        self.flows.mkdir(parents=True)
        self.clock = ManualClock(NINE)
        self.published: list[Message] = []  # ticks
        self.checks: list[Message] = []
        self.heard = asyncio.Event()
        self.is_away = False
        self.errors: list[Exception] = []  # one for each publication to come
        self.ticker = Ticker(library_reader(prompts, reload=True), self._publish, self.clock.now)

    def edit(self, name: str, cron: str, more: str = "") -> None:
        on = f"{{schedule: {{cron: '{cron}'{more}}}}}"
        step = "{action: log.write, with: {message: m}}"
        text = f"flow: {name}\non: {on}\nsteps:\n  a: {step}\n"
        (self.flows / f"{name}.yaml").write_text(text, "utf-8")

    async def after(self, minutes: float) -> list[str]:
        """Flows whose ticks are published that much later."""
        self.clock.advance(timedelta(minutes=minutes))
        before = len(self.published)
        await self.ticker.pulse()
        return [message.attributes["ce-subject"] for message in self.published[before:]]

    async def _publish(self, message: Message) -> None:
        if self.is_away:
            raise ServiceUnavailable("away")
        if self.errors:
            raise self.errors.pop()
        kept = self.checks if message == check_message() else self.published
        kept.append(message)
        self.heard.set()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "prompts")


async def test_a_tick_is_published_once_when_it_is_due(desk: Desk) -> None:
    desk.edit("quarterly", "*/15 * * * *", ", data: {a: 1}")
    told = [await desk.after(minutes) for minutes in (0, 14.99, 0.01, 0, 5, 10)]
    assert told == [[], [], ["quarterly"], [], [], ["quarterly"]]
    schedule = Schedule(cron="*/15 * * * *", data={"a": 1})
    assert desk.published[0] == tick("quarterly", schedule)


async def test_what_is_due_when_it_starts_was_due_before(desk: Desk) -> None:
    desk.edit("daily", "0 9 * * *")
    assert await desk.after(0.5) == []


async def test_each_schedule_has_its_own_time_zone(desk: Desk) -> None:
    desk.edit("berlin", "30 10 * * 1-5", ", time_zone: Europe/Berlin")
    desk.edit("utc", "30 10 * * 1-5")
    assert await desk.after(30) == ["berlin"]
    assert await desk.after(60) == ["utc"]


async def test_an_edited_schedule_counts_at_once(desk: Desk) -> None:
    desk.edit("daily", "0 12 * * *")
    assert await desk.after(1) == []
    desk.edit("daily", "5 9 * * *")
    desk.edit("new", "3 9 * * *")
    assert await desk.after(1) == []
    assert await desk.after(1) == ["new"]
    (desk.flows / "daily.yaml").unlink()
    assert await desk.after(2) == []


async def test_a_flow_with_a_mistake_has_no_ticks(desk: Desk) -> None:
    desk.edit("broken", "* * * * * *")
    desk.edit("minutely", "* * * * *")
    assert await desk.after(1) == ["minutely"]


async def test_what_was_missed_in_sleep_is_left_to_the_check(desk: Desk) -> None:
    desk.edit("daily", "0 10 * * *")
    desk.edit("later", "0 11 * * *", ", grace: 8h")
    await desk.after(0)
    assert await desk.after(600) == ["later"]
    assert await desk.after(15 * 60) == ["daily"]


async def test_missed_ticks_are_looked_for_at_once_and_every_five_minutes(desk: Desk) -> None:
    assert (await desk.after(0), len(desk.checks)) == ([], 0)  # where nothing is scheduled, never
    desk.edit("daily", "0 12 * * *")
    counts = []
    for minutes in (0, 4, 1, 2, 600, 1):
        await desk.after(minutes)
        counts.append(len(desk.checks))
    assert counts == [1, 1, 2, 2, 3, 3]


async def test_a_tick_that_could_not_be_published_stays_due(desk: Desk) -> None:
    desk.edit("daily", "1 9 * * *")
    desk.is_away = True
    for minutes in (1, 1):
        with pytest.raises(ServiceUnavailable):
            await desk.after(minutes)
    desk.is_away = False
    assert await desk.after(1) == ["daily"]
    assert await desk.after(1) == []


@pytest.mark.parametrize("error", [ServiceUnavailable(""), RetryError("a minute", None), OSError()])
async def test_a_broker_that_is_away_does_not_end_the_ticker(desk: Desk, error: Exception) -> None:
    desk.edit("minutely", "* * * * *")
    desk.errors = [error]
    desk.clock.advance(timedelta(minutes=1))
    running = asyncio.create_task(desk.ticker.run(0))
    heard = asyncio.create_task(desk.heard.wait())
    await asyncio.wait({running, heard}, return_when=asyncio.FIRST_COMPLETED)
    for task in (running, heard):
        task.cancel()
    await asyncio.gather(running, heard, return_exceptions=True)
    assert len(desk.published) == 1
