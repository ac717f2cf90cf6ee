"""Steps that wait for an event, by type and key: later ones, earlier ones, and those of others."""

from __future__ import annotations

from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from tests.functional.system import EVENT, System, flow
from tests.functional.test_signals import warnings
from tests.functional.test_waits import tick, tick_is_quiet

PAID = flow(
    """
    order: {call: test.echo, with: {value: "{{ event.data.order }}"}}
    paid:
      needs: order
      wait:
        for: event
        type: order.paid
        key: event.data.order_id
        equals: "{{ order }}"
        where: event.data.amount >= order
        timeout: 1h
    ship: {needs: paid, call: test.echo, with: {value: "{{ paid.data.amount }} {{ paid.type }}"}}
    """,
    more="outputs: {ship: '{{ ship }}'}",
)


async def pay(system: System, order: Any, amount: Any = 100, **about: str) -> None:
    await system.start({"order_id": order, "amount": amount}, "order.paid", **about)


async def test_an_event_ends_the_wait_for_it_and_is_stored_like_any():
    system = System([PAID])
    await system.start({"order": 7})
    await pay(system, 7, ce_id="p1")
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"ship": "100 order.paid"})
    assert "events/p1" in system.world.documents.documents
    assert await tick_is_quiet(system)


@pytest.mark.parametrize(
    "data", [{"order_id": 8}, {"order_id": "7"}, {"order": 7}, {"order_id": None}, [7], None]
)
async def test_events_with_another_key_or_none_end_nothing(data: Any):
    system = System([PAID])
    await system.start({"order": 7})
    await system.start(data, "order.paid")
    assert (await system.statuses())["paid"] == "waiting"
    assert warnings_are_none(system)


def warnings_are_none(system: System) -> bool:
    return [line for line in system.world.telemetry.lines if line[0] in {"WARNING", "ERROR"}] == []


async def test_an_event_must_meet_the_condition_and_a_broken_one_is_told_of():
    system = System([PAID])
    await system.start({"order": 7})
    await pay(system, 7, 3)
    assert warnings_are_none(system)
    await pay(system, 7, "much")
    assert [level for level, _, _ in system.world.telemetry.lines if level == "WARNING"]
    assert (await system.statuses())["paid"] == "waiting"
    await pay(system, 7, 7)
    assert (await system.report())["status"] == "succeeded"


async def test_an_event_that_came_before_the_wait_is_found():
    system = System([PAID])
    await system.publish(EVENT, {"order": 7})
    await system.pipeline.step("route")
    for amount in (1, 50, 60):
        await system.publish("order.paid", {"order_id": 7, "amount": amount})
    while await system.pipeline.step("route"):
        pass
    await system.run()
    assert (await system.report())["outputs"] == {"ship": "50 order.paid"}


async def test_events_before_the_run_do_not_count():
    system = System([PAID])
    await pay(system, 7)
    await system.start({"order": 7})
    assert (await system.statuses())["paid"] == "waiting"


async def test_an_event_may_end_the_waits_of_many_runs():
    system = System([PAID])
    for n in range(3):
        await system.publish(EVENT, {"order": 7}, ce_id=f"o{n}")
    await system.publish(EVENT, {"order": 8}, ce_id="other")
    await system.run()
    await pay(system, 7)
    reports = [await system.report(run_id) for run_id in system.run_ids()]
    assert sorted(report["status"] for report in reports) == [*["succeeded"] * 3, "waiting"]


@pytest.mark.parametrize("point", POINTS)
async def test_whoever_brings_an_event_may_die_at_any_point(point: Point):
    system = System([PAID])
    await system.start({"order": 7})
    await system.publish("order.paid", {"order_id": 7, "amount": 9})
    [waiting] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(waiting), point)
    await system.run()
    await tick(system)
    assert (await system.report())["outputs"] == {"ship": "9 order.paid"}
    assert await tick_is_quiet(system)


async def test_a_wait_for_an_event_costs_three_writes_and_an_event_that_nobody_awaits_one_read():
    system = System([PAID])
    await system.start({"order": 7})
    await pay(system, 7)
    [run_id] = system.run_ids()
    assert system.world.documents.writes[f"runs/{run_id}/steps/paid"] == 3
    system.world.documents.reset_counts()
    await system.start({}, "nobody.cares")
    assert sum(system.world.documents.reads.values()) == 1


async def test_a_wait_for_an_event_times_out_and_looks_back_when_it_is_redriven():
    system = System([PAID])
    await system.start({"order": 7})
    await tick(system, 4000)
    assert (await system.report())["error"]["code"] == "WaitTimeout"
    await pay(system, 7)
    assert (await system.report())["status"] == "failed"
    await system.redrive()
    assert (await system.report())["status"] == "succeeded"
    assert warnings(system) == []


@pytest.mark.parametrize("value", ["{{ event.data.none }}", "{{ event.data.order }}", "x" * 2000])
async def test_a_key_that_tells_no_run_apart_fails_the_step(value: str):
    wait = f"{{for: event, type: t, key: event.id, equals: '{value}'}}"
    system = System([flow(f"w: {{wait: {wait}}}")])
    await system.start({"order": None})
    report = await system.report()
    assert report["steps"]["w"]["error"]["code"] in {"WaitInvalid", "Expression"}
