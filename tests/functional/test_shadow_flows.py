"""A whole flow as the shadow of another: it runs, has no effects, and both results are compared."""

from __future__ import annotations

import pytest

from shared.calls import registered
from shared.delivery.crashpoints import POINTS, Point
from shared.delivery.rollouts.telling import rollout_report
from shared.domain.records import EventRecord, RunRecord
from shared.domain.rollouts.shadows import ComparisonRecord
from tests.functional import calls
from tests.functional.rollouts import with_rollouts
from tests.functional.system import EVENT, System, flow, prompt
from tests.functional.test_waits import tick

SHADOW = "{rollout: x, of: {flow: old}, shadow: {candidate: new}}"
OLD = flow(
    "a: {call: test.count, with: {name: old, value: 7}}", name="old", more="outputs: {n: '{{ a }}'}"
)
NEW = flow(
    """
    think: {call: test.pure, with: {value: 7}}
    tell: {needs: think, action: firestore.set, with: {path: told/x, data: {n: '{{ think }}'}}}
    act: {needs: think, call: test.count, with: {name: new, value: 1}}
    """,
    name="new",
    more="on: call\noutputs: {n: '{{ think }}'}",
)


@registered("test.pure", pure=True)
def pure(value: int) -> int:
    return value


def runs(system: System) -> dict[str, RunRecord]:
    return {run.flow: run for run in system.stored("runs", RunRecord)}


async def test_a_shadow_runs_without_effects_and_is_compared():
    system = System(with_rollouts(OLD, NEW, rollouts=SHADOW))
    await system.start({})
    await tick(system, 60)
    old, new = runs(system)["old"], runs(system)["new"]
    assert (new.shadow_of, new.status, old.status) == (old.run_id, "succeeded", "succeeded")
    assert calls.SEEN == {"old": 1}
    assert "told/x" not in system.world.documents.documents
    steps = (await system.report(new.run_id))["steps"]
    assert steps["think"]["output"] == 7
    assert steps["tell"]["output"] == {
        "shadow": {"action": "firestore.set", "with": {"path": "told/x", "data": {"n": 7}}}
    }
    assert steps["act"]["output"]["shadow"]["call"] == "test.count"
    [compared] = system.stored("comparisons", ComparisonRecord)
    assert (compared.run_id, compared.shadow_run) == (old.run_id, new.run_id)
    assert (compared.equal, compared.open) == (True, False)
    report = await rollout_report("x", system.pipeline.deps())
    assert (report["comparisons"]["compared"], report["comparisons"]["equal"]) == (1, 1)
    [event] = system.stored("events", EventRecord)
    assert event.runs == [old.run_id]  # whoever waits for the event's runs waits for no shadow


@pytest.mark.parametrize(("value", "fails"), [("8", False), ("{}", True)])
async def test_what_differs_or_fails_is_told_and_the_run_stays_as_it_is(value: str, fails: bool):  # noqa: FBT001
    other = flow(
        f"a: {{call: test.pure, with: {{value: {value}}}}}",
        name="new",
        more="on: call\noutputs: {n: '{{ a }}'}",
    )
    system = System(with_rollouts(OLD, other, rollouts=SHADOW))
    await system.start({})
    await tick(system, 60)
    assert runs(system)["old"].status == "succeeded"
    [compared] = system.stored("comparisons", ComparisonRecord)
    assert (compared.equal, compared.candidate.error is not None) == (False, fails)


async def test_a_shadow_that_the_event_does_not_fit_is_left_out():
    picky = flow(
        "a: {call: test.pure, with: {value: 1}}",
        name="new",
        more="on: call\ninput: {required: [n]}",
    )
    system = System(with_rollouts(OLD, picky, rollouts=SHADOW))
    await system.start({})
    assert set(runs(system)) == {"old"}
    assert system.letters() == []


@pytest.mark.parametrize("point", POINTS)
async def test_wherever_a_process_dies_there_is_one_shadow_and_one_comparison(point: Point):
    system = System(with_rollouts(OLD, NEW, rollouts=SHADOW))
    for _ in range(2):
        await system.publish(EVENT, {}, ce_id="e1")
    while waiting := system.pipeline.collect():
        first = system.pipeline.take(waiting[0])
        if first.attempt == 1:
            await system.killed_on(first, point)
        else:
            await system.pipeline.deliver(first)
        system.world.clock.advance(20)
    for _ in range(3):
        await tick(system, 60)
    assert set(runs(system)) == {"old", "new"}
    assert len(system.stored("runs", RunRecord)) == 2
    assert "new" not in calls.SEEN
    assert [one.equal for one in system.stored("comparisons", ComparisonRecord)] == [True]


async def test_a_shadow_that_cannot_be_opened_is_left_out_and_never_opened_in_earnest():
    missing = flow(
        "a: {prompt: say@7, with: {text: x}}", prompt("say@7", "x"), name="new", more="on: call"
    )
    system = System(with_rollouts(OLD, missing, rollouts=SHADOW))
    await system.start({})
    assert set(runs(system)) == {"old"}
    assert system.letters() == []
    assert any("is left out" in text for _, text, _ in system.world.telemetry.lines)
