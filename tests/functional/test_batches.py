"""Events that start a run together: each in exactly one batch, whatever comes when."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.delivery.starts.collecting import publish_due
from shared.domain.records import EventRecord, RunRecord
from tests.functional.control import tick
from tests.functional.system import EVENT, System, flow

STEPS = (
    "a: {call: test.echo, with: {value: \"{{ event.data.events | map(attribute='id') | list }}\"}}"
)
MORE = "outputs: {ids: '{{ a }}', key: '{{ event.data.key }}'}"


def batched(settings: str, more: str = "", where: str = "") -> Any:
    on = f"on: {{batch: {{event: {EVENT}, {settings}}}{where}}}"
    return flow(STEPS, more=f"{on}\n{MORE}\n{more}")


async def arrive(system: System, event_id: str, key: str = "k", **more: Any) -> None:
    """It is routed, and the batch that it makes full, too."""
    await system.publish(EVENT, {"key": key, **more}, ce_id=event_id)
    while await system.pipeline.step("route"):
        continue


def found(system: System) -> list[list[str]]:
    """The batches, as the runs saw them."""
    runs = sorted(system.stored("runs", RunRecord), key=lambda run: run.created_at)
    return [run.outputs["ids"] for run in runs if isinstance(run.outputs, dict)]


async def test_so_many_events_start_a_run_together():
    system = System([batched("size: 3, wait: 5m")])
    for number in range(7):
        await arrive(system, f"e{number}")
    await system.run()
    assert found(system) == [["e0", "e1", "e2"], ["e3", "e4", "e5"]]
    await tick(system, 200)
    await system.run()
    assert len(found(system)) == 2
    await tick(system, 200)
    await system.run()
    assert found(system)[2] == ["e6"]


async def test_events_of_one_key_come_together():
    system = System([batched("size: 2, wait: 5m, key: event.data.key")])
    for number, key in enumerate("abcab"):
        await arrive(system, f"{key}{number}", key)
    await system.run()
    assert sorted(found(system)) == [["a0", "a3"], ["b1", "b4"]]
    runs = system.stored("runs", RunRecord)
    assert {run.outputs["key"] for run in runs} == {"a", "b"}  # type: ignore[index,call-overload]


async def test_what_the_condition_leaves_out_is_in_no_batch():
    version = batched("size: 2, wait: 5m", where=", where: event.data.key != 'x'")
    system = System([version])
    for event_id, key in (("e1", "k"), ("e2", "x"), ("e3", "k")):
        await arrive(system, event_id, key)
    await system.run()
    assert found(system) == [["e1", "e3"]]


async def test_an_event_that_comes_again_is_in_one_batch():
    system = System([batched("size: 2, wait: 5m")])
    for event_id in ("e1", "e1", "e2", "e2", "e1", "e3"):
        await arrive(system, event_id)
    await system.run()
    await tick(system, 400)
    await system.run()
    assert found(system) == [["e1", "e2"], ["e3"]]


async def test_a_batch_begins_early_where_its_events_are_large():
    system = System([batched("size: 10, wait: 5m")])
    for number in range(5):
        await arrive(system, f"e{number}", text="x" * 250_000)
    await system.run()
    assert found(system) == [["e0", "e1", "e2"]]
    await tick(system, 400)
    await system.run()
    assert found(system)[1] == ["e3", "e4"]
    assert system.letters() == []


async def test_the_size_follows_the_load():
    system = System([batched("size: 2, wait: 10m, adaptive: true, max: 8")])
    for number in range(14):
        await arrive(system, f"e{number}")
    await system.run()
    assert [len(one) for one in found(system)] == [2, 4, 8]
    for number in range(14, 18):
        await arrive(system, f"e{number}")
        await tick(system, 700)
        await system.run()
    assert [len(one) for one in found(system)][3:] == [1, 1, 1, 1]
    [control] = _control(system)
    assert control["batch_size"] == 2  # it had come down to one, and one is full at once


def _control(system: System) -> list[Any]:
    documents = system.world.documents.documents.items()
    return [document.data for path, document in documents if path.startswith("control/")]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("dies", ["e0", "e1", "sweep"])
async def test_each_event_is_in_one_batch_wherever_the_process_dies(point: Point, dies: str):
    system = System([batched("size: 2, wait: 2m")])
    for event_id in ("e0", "e1", "e2"):
        await system.publish(EVENT, {"key": "k"}, ce_id=event_id)
        [waiting] = [one for one in system.pipeline.collect() if one.stage == "route"]
        if event_id == dies:
            await system.killed_on(system.pipeline.take(waiting), point)
        await system.run()
    for minute in range(6):
        system.world.clock.advance(60)
        await system.send("sweep", b"", {})
        [waiting] = [one for one in system.pipeline.collect() if one.stage == "sweep"]
        if dies == "sweep" and minute % 2:
            await system.killed_on(system.pipeline.take(waiting), point)
        await system.run()
    together = Counter(event for batch in found(system) for event in batch)
    assert together == {"e0": 1, "e1": 1, "e2": 1}
    assert {run.status for run in system.stored("runs", RunRecord)} == {"succeeded"}


async def test_a_batch_keeps_to_the_order_of_its_flow():
    system = System([batched("size: 1, wait: 1m, key: event.data.key", "order_by: event.data.key")])
    for number in range(3):
        await arrive(system, f"e{number}")
    await system.run()
    assert found(system) == [["e0"], ["e1"], ["e2"]]


async def test_a_key_that_cannot_be_told_is_for_people_to_see():
    system = System([batched("size: 2, wait: 1m, key: event.data.none.at.all")])
    await arrive(system, "e1")
    await system.run()
    [run] = system.stored("runs", RunRecord)
    assert run.status == "failed"
    assert system.letter().error.code == "Expression"


async def test_a_batch_that_the_flow_refuses_is_a_dead_letter_and_can_be_redriven():
    schema = "input: {properties: {events: {maxItems: 1}}}"
    system = System([batched("size: 2, wait: 1m", schema)])
    for event_id in ("e1", "e2"):
        await arrive(system, event_id)
    await system.run()
    assert system.letter().error.code == "InputInvalid"
    system.deploy(batched("size: 2, wait: 1m"))
    await system.redrive()
    assert found(system) == [["e1", "e2"]]


async def test_an_event_that_is_collected_costs_one_write_and_one_count():
    system = System([batched("size: 5, wait: 5m")])
    await arrive(system, "e0")
    system.world.documents.reset_counts()
    await arrive(system, "e1")
    store = system.world.documents
    assert (store.writes.total(), store.counts.total()) == (2, 1)
    assert not [path for path in store.reads if path.startswith(("collected/", "control/"))]
    [stored] = [one for one in system.stored("events", EventRecord) if one.message_id == "2"]
    assert stored.runs == []


async def test_many_keys_are_due_at_once():
    system = System([batched("size: 9, wait: 1m, key: event.data.key")])
    for number in range(30):
        await arrive(system, f"e{number}", f"k{number}")
    await tick(system, 120)
    await system.run()
    assert len(found(system)) == 30


async def test_whoever_closes_a_batch_at_once_with_others_closes_it_once():
    system = System([batched("size: 9, wait: 1m")])
    for event_id in ("e1", "e2"):
        await arrive(system, event_id)
    system.world.clock.advance(120)
    deps = system.pipeline.deps("sweep")

    async def sweep_after(others: int) -> None:
        for _ in range(others):
            await asyncio.sleep(0)
        await publish_due(deps)

    await asyncio.gather(*(sweep_after(others) for others in range(6)))
    await system.run()
    assert found(system) == [["e1", "e2"]]
