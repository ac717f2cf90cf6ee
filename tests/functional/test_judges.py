"""Judges: a prompt says how well a run did, once the run has succeeded, and cannot harm it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.delivery.rollouts.statistics import of_flow, of_prompt
from shared.domain.commands import RunEnded
from shared.domain.envelope import ModelRequest
from shared.domain.records import RunRecord
from shared.domain.rollouts.judges import judging, judging_name
from shared.domain.rollouts.outcomes import OutcomeRecord
from shared.domain.starts.by_name import START
from shared.ports import Put
from shared.prompting.library import read_flow
from shared.testing.memory import ScriptedModel
from tests.functional import calls
from tests.functional.system import EVENT, System, echoing, flow, library, prompt
from tests.functional.test_money import balance

SCORE = {"type": "number", "minimum": 0, "maximum": 1}
OUTPUT = {"type": "object", "required": ["score"], "properties": {"score": SCORE}}
JUDGE = prompt("judge", "Judge {{ text }}", output=OUTPUT)
STEPS = "a: {prompt: say, with: {text: '{{ event.data.text }}'}}"
WITH = "with: {text: '{{ event.data.text }} {{ a.text }} {{ run.id }}'}"
JUDGED = f"judge: {{helpful: {{prompt: judge, {WITH}}}}}"


def answering(score: Any) -> ScriptedModel:
    def answer(request: ModelRequest) -> str:
        is_judge = request.messages[0][1].startswith("Judge")
        return json.dumps({"score": score}) if is_judge else echoing(request)

    return ScriptedModel(default=answer)


def judged(score: Any = 0.75, steps: str = STEPS, more: str = JUDGED) -> System:
    known = flow(steps, JUDGE, more=more)
    judges = [
        read_flow(json.dumps(judging("thing", name, one)), f"{name}.yaml", {"judge": JUDGE})
        for name, one in known.flow.judge.items()
    ]
    return System(library(known, *judges), model=answering(score))


def runs(system: System, name: str) -> list[RunRecord]:
    return [run for run in system.stored("runs", RunRecord) if run.flow == name]


def outcomes(system: System) -> list[OutcomeRecord]:
    return [
        one
        for run in runs(system, "thing")
        for one in system.stored(f"runs/{run.run_id}/outcomes", OutcomeRecord)
    ]


async def test_a_run_that_succeeded_is_judged_by_a_run_of_its_own():
    system = judged()
    await system.start({"text": "hi"})
    [run], [judge] = runs(system, "thing"), runs(system, judging_name("thing", "helpful"))
    assert (judge.status, judge.judge_of, judge.outputs) == (
        "succeeded",
        run.run_id,
        {"score": 0.75},
    )
    assert judge.correlation_id == run.correlation_id
    [said] = outcomes(system)
    assert (said.name, said.value, said.by) == ("helpful", 0.75, judge.run_id)
    report = await system.report(judge.run_id)
    assert report["steps"]["judge"]["prompt"]["name"] == "judge"
    assert report["totals"]["cost_usd"] > 0
    assert (await system.report(run.run_id))["totals"]["llm_calls"] == 1
    assert not run.unheard
    asked = system.model.calls[-1].messages[0][1]
    assert asked == f"Judge hi a(hi) {run.run_id}"


async def test_statistics_show_what_judges_said_and_what_they_cost():
    system = judged()
    for number in range(3):
        await system.start({"text": "hi"}, ce_id=f"e{number}")
    deps, begin = system.pipeline.deps(), min(run.created_at for run in runs(system, "thing"))
    [group] = (await of_flow("thing", begin, deps))["groups"]
    assert group["outcomes"]["helpful"]["value"] == 0.75
    assert group["outcomes"]["helpful"]["n"] == 3
    [own] = (await of_prompt("judge", [judging_name("thing", "helpful")], begin, deps))["groups"]
    assert own["cost_usd"] > 0
    assert own["llm_calls"] == 3


@pytest.mark.parametrize("score", [7, "good", None])
async def test_what_a_judge_cannot_say_fails_its_own_run_and_nothing_else(score: Any):
    system = judged(score)
    await system.start({"text": "hi"})
    [run], [judge] = runs(system, "thing"), runs(system, judging_name("thing", "helpful"))
    assert (run.status, judge.status, outcomes(system)) == ("succeeded", "failed", [])
    assert [letter.run_id for letter in system.letters()] == [judge.run_id]


async def test_only_runs_that_succeeded_are_judged():
    calls.BROKEN.add("bad")
    system = judged(steps=f"{STEPS}\nb: {{needs: a, call: test.count, with: {{name: bad}}}}")
    await system.start({"text": "hi"})
    [run] = system.stored("runs", RunRecord)
    assert (run.flow, run.status, run.unheard) == ("thing", "failed", False)


async def test_a_run_that_succeeds_after_a_redrive_is_judged_then():
    calls.BROKEN.add("bad")
    system = judged(steps=f"{STEPS}\nb: {{needs: a, call: test.count, with: {{name: bad}}}}")
    await system.start({"text": "hi"})
    calls.BROKEN.clear()
    await system.redrive()
    [run] = runs(system, "thing")
    assert (run.status, run.unheard) == ("succeeded", False)
    assert [one.value for one in outcomes(system)] == [0.75]


async def test_a_run_in_which_what_is_judged_was_skipped_is_not_judged():
    steps = "a: {when: event.data.text != 'hi', prompt: say, with: {text: '{{ event.data.text }}'}}"
    system = judged(steps=steps)
    await system.start({"text": "hi"})
    assert [run.flow for run in system.stored("runs", RunRecord)] == ["thing"]
    lines = [text for level, text, _ in system.world.telemetry.lines if level == "WARNING"]
    assert not [text for text in lines if "judged" in text]


async def test_what_cannot_be_put_together_is_told_of_in_the_log():
    more = "judge: {helpful: {prompt: judge, with: {text: '{{ event.data.nothing.at_all }}'}}}"
    system = judged(more=more)
    await system.start({"text": "hi"})
    assert [run.status for run in system.stored("runs", RunRecord)] == ["succeeded"]
    assert any("is not judged" in text for _, text, _ in system.world.telemetry.lines)
    assert system.letters() == []


@pytest.mark.parametrize("spent", [0, 600_000])
async def test_what_a_judge_spends_is_the_days_and_it_is_asked_while_half_of_that_is_left(
    spent: int,
):
    budget = "budget: {tokens: 1M, tokens_per_day: 1M, on_breach: [ask, stop]}"
    system = judged(more=f"{JUDGED}\n{budget}")
    day = "thing:2026-01-01"
    await system.world.documents.commit([Put(f"budgets/{day}", {"tokens_spent": spent})])
    await system.start({"text": "hi"})
    [run] = runs(system, "thing")
    own, of_day = balance(system, run.run_id), balance(system, day)
    is_judged = of_day.spent.tokens - spent > own.spent.tokens > 0
    assert (is_judged, len(outcomes(system))) == (spent == 0, int(spent == 0))
    assert (of_day.reserved.is_some, system.letters()) == (False, [])
    told = [text for _, text, _ in system.world.telemetry.lines if "not judged" in text]
    assert ["has used half of 1,000,000 tokens" in text for text in told] == [True] * (spent > 0)


async def test_a_share_of_the_runs_is_judged_the_same_ones_whoever_asks():
    more = JUDGED.replace("judge, with", "judge, share: 50%, with")
    seen = []
    for _ in range(2):
        system = judged(more=more)
        for number in range(12):
            await system.start({"text": "hi"}, ce_id=f"e{number}")
        seen.append(sorted(one.run_id for one in outcomes(system)))
    assert seen[0] == seen[1]
    assert 2 <= len(seen[0]) <= 10


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", [RunEnded.type, START, "outcome.recorded"])
async def test_a_run_is_judged_once_wherever_an_instance_dies(point: Point, kind: str):
    system = judged()
    await system.publish(EVENT, {"text": "hi"})
    killed = False
    while waiting := system.pipeline.collect():
        one = system.pipeline.take(waiting[0])
        if one.message.attributes.get("ce-type") == kind and not killed:
            killed = True
            await system.killed_on(one, point)
        else:
            system.world.clock.advance(20)
            await system.pipeline.deliver(one)
    assert killed
    assert len(runs(system, judging_name("thing", "helpful"))) == 1
    assert [one.value for one in outcomes(system)] == [0.75]
    assert len(system.model.calls) == 2
