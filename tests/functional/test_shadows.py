"""Shadows: the candidate answers too, nothing acts on it, and the run never knows."""

from __future__ import annotations

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.delivery.rollouts.telling import rollout_report
from shared.domain.envelope import ModelRequest
from shared.domain.records import RunRecord
from shared.domain.rollouts.shadows import SHADOW, ComparisonRecord
from shared.errors import ModelRefusedError
from shared.testing.memory import ScriptedModel
from tests.functional.rollouts import TALK, pushed, several, with_rollouts
from tests.functional.system import EVENT, System, echoing, prompt
from tests.functional.test_waits import tick

SHADOWED = "{rollout: x, of: {prompt: say}, shadow: {candidate: staging}}"
SAME = prompt("say", "{{ text }}", parameters={"temperature": 0})


async def shadowed(candidate: object = SAME, **about: ScriptedModel) -> System:
    system = System(with_rollouts(TALK, rollouts=SHADOWED), **about)
    await pushed(system, "staging", candidate)
    return system


def comparisons(system: System) -> list[ComparisonRecord]:
    return system.stored("comparisons", ComparisonRecord)


async def test_the_candidate_answers_too_and_both_are_compared():
    system = await shadowed()
    await several(system, 2)
    await tick(system, 60)
    for one in comparisons(system):
        assert (one.equal, one.open, one.variant) == (True, False, "staging")
        assert one.candidate.version == SAME.version
        assert one.usual is not None
        assert one.usual.output == one.candidate.output
        assert one.candidate.tokens == one.usual.tokens
    report = await rollout_report("x", system.pipeline.deps())
    found = report["comparisons"]
    assert (found["compared"], found["equal"], found["failed"]) == (2, 2, 0)


async def test_nothing_acts_on_what_the_candidate_says():
    system = await shadowed(prompt("say", "LOUD {{ text }}"))
    [run] = await several(system, 1)
    await tick(system, 60)
    report = await system.report()
    assert report["outputs"] == {"said": "a(t0)"}
    assert report["totals"]["llm_calls"] == 1
    assert (run.variants, report["steps"]["a"]["prompt"]["variant"]) == ({}, None)
    [one] = comparisons(system)
    assert (one.equal, one.candidate.output) == (False, {"text": "a(LOUD t0)"})


async def test_its_failure_is_in_the_comparison_and_the_run_does_not_see_it():
    def answer(request: ModelRequest) -> str:
        if "LOUD" in request.messages[0][1]:
            raise ModelRefusedError("no")
        return echoing(request)

    system = await shadowed(prompt("say", "LOUD {{ text }}"), model=ScriptedModel(default=answer))
    await several(system, 1)
    await tick(system, 60)
    assert (await system.report())["status"] == "succeeded"
    [one] = comparisons(system)
    assert one.candidate.error is not None
    assert (one.candidate.error.code, one.equal, system.letters()) == ("ModelRefused", False, [])


async def test_a_shadow_that_cannot_be_rendered_or_does_not_fit_is_left_out():
    for body in ("{{ text.nothing }}", "{{ nowhere }}"):
        system = await shadowed(prompt("say", body))
        [run] = await several(system, 1)
        assert run.status == "succeeded"
        assert comparisons(system) == []
        assert [level for level, _, _ in system.world.telemetry.lines if level == "WARNING"]


async def test_a_question_that_nobody_can_answer_fails_no_run():
    system = await shadowed()
    await several(system, 1)
    await system.send("generate", b"{}", {SHADOW: "x", "content-type": "application/json"})
    await system.run()
    assert system.letter().run_id is None
    assert {run.status for run in system.stored("runs", RunRecord)} == {"succeeded"}


@pytest.mark.parametrize("point", POINTS)
async def test_wherever_a_process_dies_the_run_is_the_same_and_compared_once(point: Point):
    system = await shadowed()
    await system.publish(EVENT, {"text": "t"})
    while waiting := system.pipeline.collect():
        first = system.pipeline.take(waiting[0])
        if first.attempt == 1:
            await system.killed_on(first, point)
        else:
            await system.pipeline.deliver(first)
        system.world.clock.advance(20)
    await tick(system, 60)
    assert (await system.report())["outputs"] == {"said": "a(t)"}
    assert (await system.report())["totals"]["llm_calls"] <= 2
    assert [one.equal for one in comparisons(system)] == [True]


async def test_a_share_of_the_runs_is_shadowed():
    half = SHADOWED.replace("staging", "staging, share: 50%")
    system = System(with_rollouts(TALK, rollouts=half))
    await pushed(system, "staging", SAME)
    await several(system, 16)
    assert 2 <= len(comparisons(system)) <= 14
