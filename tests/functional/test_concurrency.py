"""Runs of one key: no more at once than the flow says, in order, and none forgotten."""

from __future__ import annotations

import json

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.delivery.letters.redrive import redrive
from shared.delivery.starts.turns import advance
from shared.domain.records import RunRecord
from shared.ports import Query
from tests.functional import calls
from tests.functional.control import (
    ORDER,
    TWO,
    arrive,
    by_event,
    controlled,
    sent,
    statuses,
    tick,
)
from tests.functional.system import EVENT, System


async def three(control: str, **about) -> System:
    system = System([controlled(control)], **about)
    for event_id in ("e1", "e2", "e3"):
        await arrive(system, event_id)
    return system


async def finish(system: System) -> None:
    for _ in range(10):
        await system.run()
        await tick(system)


async def test_runs_of_one_key_come_one_after_another():
    """Each begins as soon as the one before it has ended: nobody waits for sweep."""
    system = await three(ORDER)
    assert statuses(system) == {"e1": "running", "e2": "waiting", "e3": "waiting"}
    assert sent(system) == ["e1"]
    await system.run()
    assert sent(system) == ["e1", "e2", "e3"]
    assert set(statuses(system).values()) == {"succeeded"}


async def test_runs_of_other_keys_do_not_wait():
    system = System([controlled(ORDER)])
    for number, key in enumerate(["a", "b", 1, "1", None, True, {"x": 1}]):
        await arrive(system, f"e{number}", key)
    assert set(statuses(system).values()) == {"running"}


async def test_as_many_as_the_limit_are_under_way():
    system = await three(TWO)
    assert statuses(system) == {"e1": "running", "e2": "running", "e3": "waiting"}
    await finish(system)
    assert set(statuses(system).values()) == {"succeeded"}


async def test_without_a_key_all_runs_of_the_flow_share_the_limit():
    system = System([controlled("concurrency: {limit: 1}")])
    await arrive(system, "e1", "a")
    await arrive(system, "e2", "b")
    assert statuses(system) == {"e1": "running", "e2": "waiting"}


async def test_a_run_that_waits_has_its_time_from_when_it_begins():
    system = System([controlled(f"{ORDER}\ntimeout: 10m")])
    await arrive(system, "e1")
    await arrive(system, "e2")
    assert by_event(system)["e2"].deadline is None
    system.world.clock.advance(3600)
    while statuses(system)["e2"] == "waiting":
        await system.pipeline.step()
    run = by_event(system)["e2"]
    assert run.deadline is not None
    assert (run.deadline - system.world.clock.now()).total_seconds() > 500


async def test_a_duplicate_of_a_waiting_event_changes_nothing():
    system = await three(ORDER)
    before = dict(system.world.documents.documents)
    await arrive(system, "e2")
    assert system.world.documents.documents == before


async def test_a_key_that_cannot_be_told_fails_the_run_for_people_to_see():
    system = System([controlled("order_by: event.data.none.at.all")])
    await system.start({"key": 1}, ce_id="e1")
    [letter] = system.letters()
    assert letter.error.code == "ExpressionError".removesuffix("Error")
    assert statuses(system) == {"e1": "failed"}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("event_id", ["e1", "e2"])
async def test_nothing_is_lost_where_the_process_dies_as_a_run_is_opened(
    point: Point, event_id: str
):
    system = System([controlled(ORDER)])
    for each in ("e1", "e2"):
        if each != event_id:
            await arrive(system, each)
            continue
        await system.publish(EVENT, {"key": "k"}, ce_id=each)
        [waiting] = [one for one in system.pipeline.collect() if one.stage == "route"]
        await system.killed_on(system.pipeline.take(waiting), point)
        await system.pipeline.step("route")
    await finish(system)
    assert set(statuses(system).values()) == {"succeeded"}
    assert sorted(sent(system)) == ["e1", "e2"]


@pytest.mark.parametrize("point", ["committed", "emitted"])
@pytest.mark.parametrize("stage", ["route", "sweep"])
async def test_nothing_is_lost_where_the_process_dies_as_a_run_begins_that_had_to_wait(
    point: Point, stage: str
):
    system = await three(ORDER)
    while statuses(system)["e1"] != "succeeded":
        await system.pipeline.step("act")
    system.world.clock.advance(60)
    if stage == "sweep":
        await system.send("sweep", b"", {})
    [waiting] = [one for one in system.pipeline.collect() if one.stage == stage]
    await system.killed_on(system.pipeline.take(waiting), point)
    await finish(system)
    assert set(statuses(system).values()) == {"succeeded"}
    assert sent(system) == ["e1", "e2", "e3"]


async def test_a_run_too_many_is_dropped_at_once():
    system = System([controlled("concurrency: {limit: 1, key: event.data.key, over: drop}")])
    await arrive(system, "e1")
    await arrive(system, "e2")
    dropped = by_event(system)["e2"]
    assert (dropped.status, dropped.error and dropped.error.code) == ("cancelled", "Dropped")
    await system.run()
    await arrive(system, "e3")
    assert statuses(system) == {"e1": "succeeded", "e2": "cancelled", "e3": "running"}


async def test_a_run_too_many_replaces_the_one_that_began_first():
    control = "concurrency: {limit: 1, key: event.data.key, over: replace}"
    system = System([controlled(control)])
    await arrive(system, "e1")
    await arrive(system, "e2")
    await finish(system)
    assert statuses(system) == {"e1": "cancelled", "e2": "succeeded"}
    error = by_event(system)["e1"].error
    assert error is not None
    assert f"replaced by run {by_event(system)['e2'].run_id}" in error.message


async def test_of_those_that_wait_to_replace_a_run_only_the_last_is_wanted():
    system = await three("concurrency: {limit: 1, key: event.data.key, over: replace}")
    found = by_event(system)
    assert statuses(system) == {"e1": "running", "e2": "cancelled", "e3": "waiting"}
    assert found["e2"].error is not None
    assert found["e2"].error.code == "Replaced"


async def test_where_nobody_says_that_a_run_has_ended_the_next_one_begins_all_the_same():
    system = await three(ORDER)
    for _ in range(12):
        for waiting in system.pipeline.collect():
            if waiting.stage == "route":
                system.pipeline.take(waiting)  # it is lost
        await system.pipeline.step()
    assert sent(system) == ["e1"]
    await finish(system)
    assert sent(system) == ["e1", "e2", "e3"]


async def test_room_made_while_a_run_was_let_in_to_wait_is_noticed():
    """The end was announced before anybody waited: whoever waits looks once more."""
    system = System([controlled(ORDER)])
    await arrive(system, "e1")
    await system.publish(EVENT, {"key": "k"}, ce_id="e2")
    store, route = system.world.documents, system.pipeline.deps("route")
    counted = store.count

    async def slow_count(query: Query) -> int:
        """The run before it ends, and that is heard, as soon as this one has counted it."""
        found = await counted(query)
        store.count = counted  # type: ignore[method-assign]
        while statuses(system)["e1"] != "succeeded":
            await system.pipeline.step("act")
        [run] = system.stored("runs", RunRecord)
        assert run.control is not None
        assert await advance(run.control, route) == 0
        return found

    store.count = slow_count  # type: ignore[method-assign]
    await system.pipeline.step("route")
    assert statuses(system)["e2"] == "running"
    assert sent(system) == ["e1", "e2"]


async def test_a_run_that_is_cancelled_lets_the_next_one_begin_and_so_does_one_that_waits():
    system = await three(ORDER)
    for event_id in ("e2", "e1"):
        command = json.dumps({"run": by_event(system)[event_id].run_id}).encode()
        await system.send("events", command, {"ce-type": "segue.run.cancel"})
    await system.run()
    assert statuses(system) == {"e1": "cancelled", "e2": "cancelled", "e3": "succeeded"}
    assert sent(system) == ["e1", "e3"]


async def test_a_run_that_fails_lets_the_next_one_begin_and_goes_on_when_there_is_room():
    steps = "a: {call: test.count, with: {name: '{{ event.data.id }}'}}"
    system = System([controlled(ORDER, steps)])
    calls.BROKEN.add("e1")
    for event_id in ("e1", "e2"):
        await arrive(system, event_id)
    while statuses(system)["e2"] != "running":
        await system.pipeline.step()
    calls.BROKEN.clear()
    assert statuses(system)["e1"] == "failed"
    deps = system.pipeline.deps()
    await system.pipeline.step("bury")
    done = await redrive(by_event(system)["e1"].run_id, deps)
    assert done.steps == ()
    assert statuses(system) == {"e1": "waiting", "e2": "running"}
    await system.run()
    await tick(system)
    await system.run()
    assert statuses(system) == {"e1": "succeeded", "e2": "succeeded"}
    assert calls.SEEN == {"e1": 2, "e2": 1}


async def test_a_run_that_failed_goes_on_at_once_where_nobody_is_in_its_way():
    steps = "a: {call: test.count, with: {name: '{{ event.data.id }}'}}"
    system = System([controlled(ORDER, steps)])
    calls.BROKEN.add("e1")
    await arrive(system, "e1")
    await system.run()
    calls.BROKEN.clear()
    await system.redrive()
    assert statuses(system) == {"e1": "succeeded"}


async def test_a_flow_of_skips_keeps_nobody_waiting():
    system = System([controlled(ORDER, "a: {call: test.echo, when: event.data.id != 'off'}")])
    await arrive(system, "off")
    await arrive(system, "e2")
    assert statuses(system) == {"off": "succeeded", "e2": "running"}
    for event_id in ("off2", "e3"):
        await arrive(system, event_id)
    await system.run()
    assert set(statuses(system).values()) == {"succeeded"}


async def test_show_tells_for_what_a_run_waits():
    system = await three(ORDER)
    report = await system.report(by_event(system)["e3"].run_id)
    assert report["waits"]["key"] == "k"
    assert report["waits"]["before"] == 1
    assert "waits" not in await system.report(by_event(system)["e1"].run_id)


async def test_a_key_with_many_waiting_runs_keeps_no_other_waiting():
    system = System([controlled(ORDER)])
    for number in range(60):
        await arrive(system, f"a{number}", "many")
    for number in range(3):
        await arrive(system, f"b{number}", "few")
    for _ in range(3):
        await system.run()
        await tick(system)
    found = statuses(system)
    assert {found[f"b{number}"] for number in range(3)} == {"succeeded"}
