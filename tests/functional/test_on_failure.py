"""A flow that fails starts the one it names, once for each failure, and nobody goes in circles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.delivery.runs.aftermath import GRACE
from shared.domain.commands import Cancel, RunEnded
from shared.domain.events import MAX_DATA_BYTES
from shared.domain.records import EventRecord, RunRecord
from shared.domain.version import FlowVersion
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

STEPS = """
    a: {call: test.echo, with: {value: {n: "{{ event.data.n }}"}}}
    bad: {needs: a, call: test.count, with: {name: bad}}
"""
TELL = flow(
    "tell: {call: test.count, with: {name: told, value: '{{ event.data }}'}}",
    name="tell",
    more="on: call\noutputs: {told: '{{ tell }}'}",
)


@pytest.fixture(autouse=True)
def _broken() -> None:
    calls.BROKEN.add("bad")


async def failed(
    steps: str = STEPS, more: str = "", *others: FlowVersion, data: Any = None
) -> System:
    hooked = flow(steps, more=f"on_failure: tell\n{more}")
    system = System([hooked, *(others or (TELL,))])
    await system.start({"n": 3} if data is None else data)
    return system


def runs(system: System, name: str) -> list[RunRecord]:
    return [run for run in system.stored("runs", RunRecord) if run.flow == name]


async def tick(system: System) -> None:
    system.world.clock.advance(timedelta(seconds=GRACE))
    await system.send("sweep", b"", {})
    await system.run()


async def test_the_hook_is_told_what_has_failed():
    system = await failed()
    [run], [hook] = runs(system, "thing"), runs(system, "tell")
    assert (hook.status, hook.hook_of) == ("succeeded", run.run_id)
    assert hook.correlation_id == run.correlation_id
    told = hook.outputs["told"]
    error = told.pop("error")
    assert (error["code"], error["step"]) == ("ActionFailed", "bad")
    assert told == {
        "run_id": run.run_id,
        "flow": "thing",
        "flow_version": run.flow_version,
        "correlation_id": run.correlation_id,
        "event": {"id": run.event_id, "type": EVENT, "data": {"n": 3}},
        "outputs": {"a": {"n": 3}},
        "left_out": [],
    }
    await tick(system)
    assert calls.SEEN["told"] == 1
    assert not run.unheard


async def test_no_hook_is_started_by_a_success_or_a_cancellation():
    calls.BROKEN.clear()
    system = await failed()
    await system.publish(EVENT, {"n": 1})
    await system.pipeline.step("route")
    going = next(run for run in runs(system, "thing") if run.status == "running")
    await system.start({"run": going.run_id}, Cancel.type)
    await tick(system)
    assert runs(system, "tell") == []
    assert [run.unheard for run in runs(system, "thing")] == [False, False]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("step", ["bad", None])
async def test_the_hook_is_started_once_wherever_an_instance_dies(point: Point, step: str | None):
    system = System([flow(STEPS, more="on_failure: tell"), TELL])
    await system.publish(EVENT, {"n": 3})
    killed = False
    while waiting := system.pipeline.collect():
        [one, *_] = waiting
        attributes = one.message.attributes
        is_it = attributes.get("segue-step") == step and one.stage != "bury"
        is_it = is_it and (step is not None or attributes.get("ce-type") == RunEnded.type)
        system.pipeline.take(one)
        if is_it and not killed:
            killed = True
            await system.killed_on(one, point)
        else:
            system.world.clock.advance(60)
            await system.pipeline.deliver(one)
    await tick(system)
    assert len(runs(system, "tell")) == 1
    assert calls.SEEN["told"] == 1


async def test_each_failure_of_a_run_that_is_redriven_starts_the_hook():
    system = await failed()
    await system.redrive()
    assert [run.outputs["told"]["run_id"] for run in runs(system, "tell")] == [
        runs(system, "thing")[0].run_id
    ] * 2


async def test_a_hook_that_fails_starts_none():
    hook = flow("a: {call: test.fail}", name="tell", more="on: call\non_failure: tell")
    system = await failed(STEPS, "", hook)
    await tick(system)
    assert [run.status for run in runs(system, "tell")] == ["failed"]
    assert not runs(system, "tell")[0].unheard


async def test_flows_that_start_each_other_over_their_failures_come_to_an_end():
    """Not as hooks: the hook publishes what starts the first one again."""
    again = flow(
        f"a: {{action: event.publish, with: {{type: {EVENT}, data: {{n: 1}}}}}}",
        name="tell",
        more="on: call",
    )
    system = await failed(STEPS, "", again)
    assert 5 < len(runs(system, "thing")) < 26
    assert [one.error.code for one in system.letters() if one.stage == "route"] == ["EventInvalid"]


async def test_a_run_that_was_refused_has_failed_too():
    system = await failed(more="input: {type: object, required: [m]}")
    [hook] = runs(system, "tell")
    assert hook.outputs["told"]["error"]["code"] == "InputInvalid"
    assert hook.outputs["told"]["outputs"] == {}


async def test_a_hook_that_takes_other_events_is_not_started_by_others_failures():
    other = flow("a: {call: test.echo}", name="other", more="on: {event: '*'}")
    system = await failed(STEPS, "", TELL, other)
    assert len(runs(system, "other")) == 1  # by the event itself


async def test_outputs_that_do_not_fit_are_left_out():
    steps = """
        a: {call: test.text, with: {size: 600000}}
        b: {call: test.text, with: {size: 600000}}
        bad: {needs: [a, b], call: test.count, with: {name: bad}}
    """
    hook = flow(
        "tell: {call: test.echo, with: {value: '{{ event.data }}'}}",
        name="tell",
        more="on: call\noutputs: {told: '{{ tell }}'}",
    )
    system = await failed(steps, "", hook)
    told = runs(system, "tell")[0].outputs["told"]
    assert (told["outputs"], told["left_out"]) == ({}, ["outputs"])


@pytest.mark.parametrize("deep", [False, True])
async def test_an_event_that_does_not_fit_is_left_out(deep):
    data: Any = "x" * (MAX_DATA_BYTES - 10)
    if deep:
        data = 1
        for _ in range(99):
            data = [data]
    hook = flow(
        "tell: {call: test.echo, with: {value: '{{ event.data.left_out }}'}}",
        name="tell",
        more="on: call\noutputs: {told: '{{ tell }}'}",
    )
    system = await failed("bad: {call: test.count, with: {name: bad}}", "", hook, data=data)
    [hooked] = runs(system, "tell")
    assert "event.data" in hooked.outputs["told"]
    [event] = [one for one in system.stored("events", EventRecord) if hooked.run_id in one.runs]
    assert event.event["data"]["event"] == {"id": "1", "type": EVENT, "data": None}
