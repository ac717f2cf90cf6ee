"""Runs that wait for the time to pass: those over a rate, and those until it has been quiet."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.delivery.crashpoints import POINTS, Point
from tests.functional.control import arrive, by_event, controlled, sent, statuses, tick
from tests.functional.system import EVENT, System

RATE = "rate: {limit: 2, per: 2m, key: event.data.key}"
QUIET = "debounce: {for: 90s, key: event.data.key, at_most: 4m}"


async def test_runs_over_the_rate_begin_when_it_allows_them():
    system = System([controlled(RATE)])
    for number in range(5):
        await arrive(system, f"e{number}")
    begin = by_event(system)
    first = begin["e0"].created_at
    assert sent(system) == ["e0", "e1"]
    waits = [begin[f"e{n}"].due - first for n in (2, 3, 4)]  # type: ignore[operator]
    assert [round(wait.total_seconds()) for wait in waits] == [60, 120, 180]
    for minute in range(1, 4):
        await tick(system)
        assert len(sent(system)) == 2 + minute
    await system.run()
    assert set(statuses(system).values()) == {"succeeded"}


async def test_keys_have_their_own_rate():
    system = System([controlled(RATE)])
    for number in range(3):
        await arrive(system, f"a{number}", "a")
    await arrive(system, "b", "b")
    assert statuses(system)["b"] == "running"


async def test_a_run_over_the_rate_keeps_no_other_key_of_a_shared_limit_waiting():
    control = f"{RATE}\nconcurrency: {{limit: 4}}"
    system = System([controlled(control)])
    for number in range(5):
        await arrive(system, f"a{number}", "a")
    await arrive(system, "b", "b")
    assert statuses(system)["b"] == "running"
    assert list(statuses(system).values()).count("waiting") == 3


async def test_in_order_a_run_waits_for_the_rate_of_the_one_before_it():
    control = "rate: {limit: 1, per: 10m, key: event.data.id}\norder_by: event.data.key"
    system = System([controlled(control)])
    await arrive(system, "e1")
    await system.run()
    await system.publish(EVENT, {"key": "k", "id": "e1"}, ce_id="again")  # its rate is used up
    await system.pipeline.step("route")
    await arrive(system, "e2")
    await tick(system)
    assert sent(system) == ["e1"]
    await tick(system, 600)
    await system.run()
    await tick(system)
    assert sent(system) == ["e1", "again", "e2"]


async def test_only_the_last_event_of_a_quiet_period_starts_a_run():
    system = System([controlled(QUIET)])
    for number in range(3):
        await arrive(system, f"e{number}")
        system.world.clock.advance(30)
    await arrive(system, "other", "other")
    assert statuses(system) == {
        "e0": "cancelled",
        "e1": "cancelled",
        "e2": "waiting",
        "other": "waiting",
    }
    error = by_event(system)["e0"].error
    assert error is not None
    assert error.code == "Debounced"
    assert by_event(system)["e1"].run_id in error.message
    await tick(system)
    assert sent(system) == ["e2"]
    await tick(system)
    assert sent(system) == ["e2", "other"]
    await system.run()
    await arrive(system, "e9")
    assert statuses(system)["e9"] == "waiting"
    assert list(statuses(system).values()).count("cancelled") == 2


async def test_a_period_that_is_never_quiet_ends_all_the_same():
    system = System([controlled(QUIET)])
    first = system.world.clock.now()
    for number in range(9):
        await arrive(system, f"e{number}")
        await tick(system, 30)
    begun = sent(system)
    assert begun
    assert by_event(system)[begun[0]].created_at - first < timedelta(minutes=4)
    for _ in range(5):
        await tick(system)
    await system.run()
    assert set(statuses(system).values()) == {"succeeded", "cancelled"}


async def test_what_is_put_off_and_then_in_order_is_both():
    system = System([controlled(f"{QUIET}\norder_by: event.data.key")])
    await arrive(system, "e1")
    await tick(system, 100)
    assert sent(system) == ["e1"]
    await arrive(system, "e2")
    await tick(system, 100)
    assert sent(system) == ["e1"]
    await system.run()
    await tick(system)
    assert sent(system) == ["e1", "e2"]


@pytest.mark.parametrize("control", [RATE, QUIET])
@pytest.mark.parametrize("point", POINTS)
async def test_nothing_is_lost_where_the_process_dies(point: Point, control: str):
    system = System([controlled(control)])
    for number in range(4):
        await system.publish(EVENT, {"key": "k"}, ce_id=f"e{number}")
        [waiting] = [one for one in system.pipeline.collect() if one.stage == "route"]
        await system.killed_on(system.pipeline.take(waiting), point)
        await system.pipeline.step("route")
    for _ in range(8):
        system.world.clock.advance(60)
        await system.send("sweep", b"", {})
        [waiting] = [one for one in system.pipeline.collect() if one.stage == "sweep"]
        await system.killed_on(system.pipeline.take(waiting), point)
        await system.run()
    expected = {"succeeded"} if control == RATE else {"cancelled", "succeeded"}
    assert set(statuses(system).values()) == expected
    assert len(sent(system)) == (4 if control == RATE else 1)
