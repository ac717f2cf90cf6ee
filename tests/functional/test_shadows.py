"""Shadows: the candidate answers too, nothing acts on it, and the run never knows."""

from __future__ import annotations

import json

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.delivery.rollouts.telling import rollout_report
from shared.domain.envelope import SHADOW, ModelRequest
from shared.domain.records import RunRecord, StepRecord
from shared.domain.rollouts.shadows import ComparisonRecord
from shared.domain.step import AgentStep
from shared.domain.version import FlowVersion, PromptVersion
from shared.errors import ModelRefusedError
from shared.prompting.library import read_flow
from shared.prompting.prompt_file import read_prompt
from shared.testing.memory import ScriptedModel
from tests.functional.agents import agent, asks, made, script, tools, turns_in
from tests.functional.rollouts import TALK, pushed, several, with_rollouts
from tests.functional.system import EVENT, System, echoing, flow, prompt, shipped
from tests.functional.test_hand_offs import team
from tests.functional.test_retrieve import DOCS, asking
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


# -- agents, personas, and prompts that search ---------------------------------------------------

LOOK = asks(("look", {"n": 1}))
OF_AGENT = "{rollout: x, of: {prompt: %s}, shadow: {candidate: staging}}"


def others(text: str, name: str = "helper") -> PromptVersion:
    return prompt(name, text)


async def played(system: System) -> list[ComparisonRecord]:
    """What was compared of one run, turn by turn."""
    with tools():
        await system.start({"n": 3})
        assert (await system.report())["status"] == "succeeded", await system.report()
        assert made() == {"look": 1}
        await tick(system, 60)
    return sorted(comparisons(system), key=lambda one: str(one.step))


async def test_each_turn_of_an_agent_is_shadowed_over_the_same_conversation():
    def answer(request: ModelRequest) -> object:
        is_shadow = request.messages[0][1].startswith("Mend")
        return script(LOOK, {"b": 1} if is_shadow else {"a": 1})(request)

    library = with_rollouts(agent("tools: [look]"), rollouts=OF_AGENT % "helper")
    answering = ScriptedModel({"helper": answer})
    system = System(library, model=answering)
    await pushed(system, "staging", others("Mend {{ event.data.n }}."))
    first, second = await played(system)
    assert (first.step, first.equal) == ("help[turn-1]", True)
    assert first.candidate.output == {"calls": [{"name": "look", "args": {"n": 1}}]}
    assert (second.step, second.equal) == ("help[turn-2]", False)
    assert (second.usual is not None, second.candidate.error) == (True, None)
    shadows = [one for one in answering.calls if one.messages[0][1].startswith("Mend")]
    assert [turns_in(one) for one in shadows] == [0, 1]
    assert {tuple(tool.name for tool in one.tools) for one in answering.calls} == {("look",)}
    assert (await system.report())["totals"]["llm_calls"] == 2


@pytest.mark.parametrize("point", POINTS)
async def test_wherever_a_process_dies_each_turn_is_compared_once_and_calls_are_made_once(
    point: Point,
):
    library = with_rollouts(agent("tools: [look]"), rollouts=OF_AGENT % "helper")
    system = System(library, model=ScriptedModel({"helper": script(LOOK, {"a": 1})}))
    await pushed(system, "staging", others("Mend {{ event.data.n }}."))
    with tools():
        await system.publish(EVENT, {"n": 3})
        while waiting := system.pipeline.collect():
            first = system.pipeline.take(waiting[0])
            if first.attempt == 1:
                await system.killed_on(first, point)
            else:
                await system.pipeline.deliver(first)
            system.world.clock.advance(20)
        await tick(system, 60)
        assert (await system.report())["status"] == "succeeded"
    found = [(one.step, one.equal) for one in comparisons(system)]
    assert sorted(found) == [("help[turn-1]", True), ("help[turn-2]", True)]


async def test_a_persona_is_shadowed_in_the_turns_that_it_takes():
    hand_off = asks(("hand_off_to_tech", {"reason": "broken"}))
    names = ("helper", "billing", "tech")
    answering = ScriptedModel(dict.fromkeys(names, script(hand_off, LOOK, "done")))
    system = System(with_rollouts(team(), rollouts=OF_AGENT % "tech"), model=answering)
    tech = team().flow.steps["help"]
    assert isinstance(tech, AgentStep)
    await pushed(system, "staging", others("You mend things quickly.", "tech"))
    with tools():
        await system.start({"n": 3})
        await tick(system, 60)
    found = {one.step: one for one in comparisons(system)}
    assert "help[turn-1]" not in found
    assert found["help[turn-2]"].usual is not None
    assert found["help[turn-2]"].equal
    [shadow] = [
        one for one in answering.calls if "quickly" in (one.system or "") and turns_in(one) == 1
    ]
    assert shadow.messages == answering.calls[1].messages


SEARCH = {"collection": "docs", "query": "{{ question }}", "top_k": 1}
STEP = "\na: {prompt: answer, with: {question: '{{ event.data.q }}'}}"


async def searching(usual: FlowVersion) -> System:
    """A run whose prompt `answer` has a shadow that searches, and one document to be found."""
    known = (shipped().flows["documents"], usual)
    system = System(with_rollouts(*known, rollouts=OF_AGENT % "answer"))
    head = {"description": "d", "model": "gemini-2.5-flash", "retrieve": SEARCH}
    body = "{% for one in retrieved %}<{{ one.id }}>{% endfor %}{{ question }}"
    text = f"---\n{json.dumps(head)}\n---\n{body}"
    await pushed(system, "staging", read_prompt("answer", text, "f", {}, {"docs": DOCS}))
    data = {"collection": "docs", "document": "cats.md", "text": "Cats purr."}
    await system.start({**data, "metadata": {"kind": "pets"}}, "document.added")
    system.embedder.calls.clear()
    await system.start({"q": "cats"}, ce_id="asked")
    await tick(system, 60)
    return system


async def test_a_prompt_that_searches_is_shadowed_with_the_chunks_it_has_found():
    system = await searching(asking(STEP, retrieve=SEARCH))
    [one] = comparisons(system)
    assert (one.candidate.error, one.equal) == (None, False)
    [found] = system.stored(f"runs/{one.run_id}/steps", StepRecord)
    assert isinstance(system.model, ScriptedModel)
    assert [f"<{found.sources[0]}>cats"] == [
        call.messages[0][1] for call in system.model.calls if "<" in call.messages[0][1]
    ]
    assert len(system.embedder.calls) == 1


async def test_a_candidate_that_searches_where_the_usual_prompt_does_not_is_left_out():
    plain = prompt("answer", "{{ question }}")
    text = f"flow: thing\non: {{event: {EVENT}}}\nsteps:{STEP.replace(chr(10), chr(10) + '  ')}"
    system = await searching(read_flow(text, "thing.yaml", {"answer": plain}))
    assert comparisons(system) == []
    told = [text for level, text, _ in system.world.telemetry.lines if level == "WARNING"]
    assert any("it searches, and is given what the usual prompt has found" in one for one in told)


async def test_a_step_that_its_run_has_left_behind_is_looked_for_no_more():
    early = flow(
        "a: {call: test.echo, finish: true}\nb: {prompt: say, with: {text: x}}",
        prompt("say", "{{ text }}"),
    )
    system = System(with_rollouts(early, rollouts=SHADOWED))
    await pushed(system, "staging", SAME)
    await system.publish(EVENT, {})
    for stage in ("route", "compose", "act"):
        await system.pipeline.step(stage)
    await system.run()
    assert await system.statuses() == {"a": "succeeded", "b": "pending"}
    await tick(system, 60)
    [one] = comparisons(system)
    assert one.usual is not None
    assert one.usual.error is not None
    assert (one.open, one.equal, one.usual.error.code) == (False, False, "RunEnded")
