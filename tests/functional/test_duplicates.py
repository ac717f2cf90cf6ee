"""However often and in whatever order an event or a message arrives, it counts once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.delivery import crashpoints
from shared.domain.records import EventRecord, RunRecord
from shared.testing.pipeline import Crash
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

CHAIN = flow(
    """
    a: {call: test.count, with: {name: a}}
    b: {needs: a, call: test.count, with: {name: b}}
    said: {needs: b, prompt: say, with: {text: hello}}
    """
)
FORK = flow(
    """
    a: {call: test.count, with: {name: a}}
    b: {call: test.count, with: {name: b}}
    c: {needs: [a, b], call: test.count, with: {name: c}}
    """,
    name="fork",
)


@pytest.mark.parametrize("seed", range(10))
async def test_an_event_published_twenty_times_is_one_run(seed: int):
    system = System([CHAIN], seed=seed)
    for _ in range(20):
        await system.publish(EVENT, {"n": 1}, ce_id="e1", ce_source="/shop")
    await system.run()
    assert len(system.run_ids()) == 1
    assert calls.SEEN == {"a": 1, "b": 1}
    assert len(system.model.calls) == 1
    assert len(system.stored("events", EventRecord)) == 1


async def test_a_late_duplicate_changes_nothing():
    system = System([CHAIN])
    await system.start({"n": 1}, ce_id="e1")
    before = dict(system.world.documents.documents)
    await system.start({"n": 2}, ce_id="e1")
    assert system.world.documents.documents == before
    assert calls.SEEN == {"a": 1, "b": 1}


async def test_the_same_id_from_two_sources_is_two_events():
    system = System([CHAIN])
    await system.publish(EVENT, ce_id="e1", ce_source="/shop")
    await system.publish(EVENT, ce_id="e1", ce_source="/web")
    await system.run()
    assert len(system.run_ids()) == 2
    assert {event.source for event in system.stored("events", EventRecord)} == {"/shop", "/web"}


async def test_events_without_an_id_are_told_apart_by_their_message():
    system = System([CHAIN])
    await system.publish(EVENT)
    await system.publish(EVENT)
    await system.run()
    assert len(system.run_ids()) == 2


async def test_an_event_that_two_flows_take_is_two_runs():
    other = flow("x: {call: test.count, with: {name: x}}", name="other")
    system = System([CHAIN, other])
    for _ in range(3):
        await system.publish(EVENT, ce_id="e1")
    await system.run()
    assert sorted(run.flow for run in system.stored("runs", RunRecord)) == ["other", "thing"]
    assert calls.SEEN == {"a": 1, "b": 1, "x": 1}
    [event] = system.stored("events", EventRecord)
    assert sorted(event.runs) == system.run_ids()


async def test_an_event_nobody_takes_is_stored_and_done_with():
    system = System([CHAIN])
    await system.start({"n": 1}, "nobody.cares", ce_id="e1")
    [event] = system.stored("events", EventRecord)
    assert (event.type, event.runs) == ("nobody.cares", [])
    assert system.run_ids() == []
    assert system.letters() == []
    [report] = system.world.telemetry.reports
    assert (report.disposition, report.outcome) == ("ack", "no-flow")


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("point", ["decoded", "committed", "emitted"])
async def test_route_delivered_again_after_a_crash_opens_one_run(point: str, times: int):
    system = System([CHAIN, flow("x: {call: test.count, with: {name: x}}", name="other")])
    left = [point] * times

    def crash(reached: str) -> None:
        if left and reached == left[0]:
            left.pop()
            raise Crash

    crashpoints.arm(crash)
    try:
        await system.publish(EVENT, ce_id="e1")
        while left and await system.pipeline.step("route"):
            pass
    finally:
        crashpoints.arm(None)
    await system.run()
    assert {run.status for run in system.stored("runs", RunRecord)} == {"succeeded"}
    assert len(system.run_ids()) == 2
    assert calls.SEEN == {"a": 1, "b": 1, "x": 1}


@pytest.mark.parametrize("stage", ["route", "compose", "generate", "act", "bury"])
async def test_every_message_of_a_stage_may_come_twice(stage: str):
    broken = flow("x: {call: test.count, with: {name: broken}}", name="broken")
    calls.BROKEN.add("broken")
    system = System([CHAIN, FORK, broken])
    await system.publish(EVENT, ce_id="e1")
    while waiting := system.pipeline.collect():
        first = waiting[0]
        if first.stage == stage:
            await system.pipeline.deliver(first)
        await system.pipeline.step()
    assert calls.SEEN == {"a": 2, "b": 2, "c": 1, "broken": 1}
    assert len(system.model.calls) == 1
    statuses = sorted(run.status for run in system.stored("runs", RunRecord))
    assert statuses == ["failed", "succeeded", "succeeded"]
    assert len(system.letters()) == 1


async def test_a_message_delivered_again_after_its_run_ended_does_nothing():
    system = System([FORK])
    await system.publish(EVENT)
    seen = []
    while waiting := system.pipeline.collect():
        seen.extend(one for one in waiting if one not in seen)
        await system.pipeline.step()
    before = dict(system.world.documents.documents)
    for one in seen:
        await system.pipeline.deliver(replace(one, attempt=one.attempt + 1))
    await system.run()
    assert system.world.documents.documents == before
    assert calls.SEEN == {"a": 1, "b": 1, "c": 1}
