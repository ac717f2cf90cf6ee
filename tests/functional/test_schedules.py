"""A tick starts its own flow, once, however often it is published or delivered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.flow import ScheduleTrigger
from shared.domain.records import EventRecord, RunRecord
from shared.domain.starts.schedules import DUE, SOURCE, tick
from shared.domain.version import FlowVersion
from shared.errors import StoreUnavailableError
from shared.ports import Write
from shared.testing.memory import MemoryStore
from tests.functional import calls
from tests.functional.system import System, flow

STEPS = "a: {prompt: say, with: {text: '{{ event.data.report }}'}}"


def nightly(name: str = "nightly", *, cron: str = "0 3 * * *", more: str = "") -> FlowVersion:
    on = f"on: {{schedule: {{cron: '{cron}', data: {{report: daily}}}}{more}}}"
    return flow(STEPS, name=name, more=on)


async def publish(system: System, version: FlowVersion) -> None:
    """What Cloud Scheduler publishes for the flow's schedule."""
    trigger = version.flow.on
    assert isinstance(trigger, ScheduleTrigger)
    message = tick(version.flow.flow, trigger.schedule)
    await system.send("events", message.data, message.attributes)


def next_minute(system: System) -> None:
    system.world.clock.advance(timedelta(minutes=1))


async def test_a_tick_starts_its_flow_and_no_other():
    system = System([nightly(), nightly("weekly"), flow(STEPS, name="plain")])
    await publish(system, nightly())
    await system.run()
    report = await system.report()
    assert (report["flow"], report["status"]) == ("nightly", "succeeded")
    assert system.asked() == ["a: daily"]
    [event] = system.stored("events", EventRecord)
    assert (event.type, event.source) == (DUE, SOURCE)
    assert event.event["subject"] == "nightly"
    assert event.event["id"].startswith("nightly@2")


async def test_a_tick_that_is_published_twice_is_one_run():
    system = System([nightly()])
    for _ in range(3):
        await publish(system, nightly())
    await system.run()
    assert len(system.run_ids()) == 1
    assert system.asked() == ["a: daily"]


async def test_each_tick_is_a_run_of_its_own():
    system = System([nightly()])
    for _ in range(3):
        await publish(system, nightly())
        await system.run()
        next_minute(system)
    assert len(system.run_ids()) == 3
    assert {run.status for run in system.stored("runs", RunRecord)} == {"succeeded"}


async def test_an_event_with_an_id_is_known_by_it():
    system = System([nightly()])
    for event_id in ("by-hand-1", "by-hand-2", "by-hand-2"):
        await system.start({"report": "now"}, DUE, ce_subject="nightly", ce_id=event_id)
    assert len(system.run_ids()) == 2
    assert system.asked() == ["a: now"] * 2


async def test_a_condition_may_refuse_a_tick():
    version = nightly(more=", where: event.data.report == 'weekly'")
    system = System([version])
    await publish(system, version)
    await system.run()
    assert system.run_ids() == []
    assert len(system.stored("events", EventRecord)) == 1


async def test_a_tick_stays_one_though_its_schedule_changes_between_two_deliveries():
    system = System([nightly()])
    await publish(system, nightly())
    [waiting] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(waiting), "committed")
    system.world.clock.advance(timedelta(minutes=3))
    system.deploy(nightly(cron="*/5 * * * *"))
    await system.run()
    assert len(system.run_ids()) == 1
    assert (await system.report())["status"] == "succeeded"


async def test_a_refused_tick_is_redriven_as_the_same():
    version = flow(
        "a: {call: test.count, with: {name: a}}",
        name="nightly",
        more="on: {schedule: {cron: '0 3 * * *'}, where: event.data.missing.deeper}",
    )
    system = System([version])
    await publish(system, version)
    await system.run()
    [failed] = system.run_ids()
    next_minute(system)
    await system.redrive()
    assert system.run_ids() == [failed]
    assert calls.SEEN["a"] == 0


class Away:
    """A store that takes no event until it is back."""

    is_back = False

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.get, self.get_many, self.find = store.get, store.get_many, store.find

    async def commit(self, writes: list[Write]) -> list[Any]:
        if not self.is_back and any(write.path.startswith("events/") for write in writes):
            raise StoreUnavailableError("away")
        return await self._store.commit(writes)


async def test_ticks_that_pub_sub_gives_up_are_kept_apart_and_redriven_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
):
    system = System([nightly()], store=Away)
    for _ in range(2):
        await publish(system, nightly())
        await publish(system, nightly())
        await system.run()
        next_minute(system)
    letters = system.letters()
    ids = {letter.attributes["ce-id"] for letter in letters}
    assert (len(letters), len(ids)) == (2, 2)
    monkeypatch.setattr(Away, "is_back", True)
    for letter in letters:
        await system.redrive(letter.letter_id)
    assert {run.event_id for run in system.stored("runs", RunRecord)} == ids
