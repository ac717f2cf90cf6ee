"""Every message of a run carries its priority, wherever it was said, and however it is sent."""

from __future__ import annotations

import pytest

from shared.domain.records import RunRecord
from shared.domain.starts.priorities import PRIORITY
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

STAGES = {"compose", "generate", "act"}
STEPS = """
    a: {prompt: say, with: {text: hi}}
    b: {needs: a, call: test.count, with: {name: b}}
    c: {needs: [a, b], foreach: "[1, 2]", call: test.echo, with: {value: "{{ item }}"}}
"""
BY_PLAN = "priority: \"'high' if event.data.plan == 'enterprise' else 'low'\""


def carried(system: System) -> set[str | None]:
    """The priorities of all messages to stages that have subscriptions for them."""
    published = system.world.messages.published
    assert {topic for topic, _, _ in published} >= STAGES
    return {one.attributes.get(PRIORITY) for topic, _, one in published if topic in STAGES}


@pytest.mark.parametrize(
    ("more", "given", "expected"),
    [
        ("", None, None),
        ("", "high", "high"),
        ("", "low", "low"),
        ("", "normal", None),
        ("", "soonest", None),
        ("priority: low", None, "low"),
        ("priority: low", "high", "low"),
        ("priority: normal", "high", None),
        (BY_PLAN, None, "high"),
    ],
)
async def test_every_message_of_a_run_carries_it(
    more: str, given: str | None, expected: str | None
) -> None:
    system = System([flow(STEPS, more=more)])
    about = {} if given is None else {PRIORITY: given}
    await system.send("events", b'{"plan": "enterprise"}', {"ce-type": EVENT, **about})
    await system.run()
    assert carried(system) == {expected}


async def test_a_priority_that_fails_is_normal_and_told_and_refuses_nothing() -> None:
    system = System([flow(STEPS, more="priority: event.data.plan.upper()")])
    await system.start({"n": 1})
    assert (await system.report())["status"] == "succeeded"
    assert carried(system) == {None}
    [told] = [text for severity, text, _ in system.world.telemetry.lines if severity == "WARNING"]
    assert "event.data.plan" in told


async def test_a_redriven_run_keeps_its_priority() -> None:
    system = System([flow(STEPS, more="priority: low")])
    calls.BROKEN.add("b")
    await system.start()
    calls.BROKEN.clear()
    await system.redrive()
    assert (await system.report())["status"] == "succeeded"
    assert carried(system) == {"low"}


async def test_an_event_of_a_run_has_the_runs_priority_and_its_flows_may_say_another() -> None:
    publish = "a: {action: event.publish, with: {type: done}}"
    on = "on: {event: done}"
    system = System(
        [
            flow(publish, name="first", more="priority: high"),
            flow(STEPS, name="heir", more=on),
            flow(STEPS, name="own", more=f"{on}\npriority: low"),
        ]
    )
    await system.start()
    runs = {run.flow: run.extensions.get(PRIORITY) for run in system.stored("runs", RunRecord)}
    assert runs == {"first": "high", "heir": "high", "own": "low"}


async def test_a_deployment_does_not_change_the_priority_of_a_run() -> None:
    system = System([flow(STEPS, more="priority: low")])
    await system.publish(EVENT)
    [waiting] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(waiting), "committed")
    system.deploy(flow(STEPS, more="priority: high"))
    await system.run()
    assert carried(system) == {"low"}
