"""Runs of one key: no more at once than the flow says, in order, and none forgotten."""

from __future__ import annotations

import pytest

from shared.delivery.crashpoints import POINTS, Point
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
    system = await three(ORDER)
    assert statuses(system) == {"e1": "running", "e2": "waiting", "e3": "waiting"}
    assert sent(system) == ["e1"]
    await finish(system)
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
    await system.run()
    await tick(system, 3600)
    run = by_event(system)["e2"]
    assert run.status == "running"
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
async def test_nothing_is_lost_where_the_process_dies_as_a_run_begins_that_had_to_wait(
    point: Point,
):
    system = await three(ORDER)
    while statuses(system)["e1"] != "succeeded":
        await system.pipeline.step("act")
    system.world.clock.advance(60)
    await system.send("sweep", b"", {})
    [waiting] = [one for one in system.pipeline.collect() if one.stage == "sweep"]
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


async def test_of_those_that_wait_to_replace_a_run_only_the_last_is_wanted():
    system = await three("concurrency: {limit: 1, key: event.data.key, over: replace}")
    found = by_event(system)
    assert statuses(system) == {"e1": "running", "e2": "cancelled", "e3": "waiting"}
    assert found["e2"].error is not None
    assert found["e2"].error.code == "Replaced"


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
