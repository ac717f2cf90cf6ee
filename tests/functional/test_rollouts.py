"""Rollouts: the choice is made once, is pinned with the run, and is the same for the same key."""

from __future__ import annotations

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.delivery.rollouts.statistics import of_flow, of_prompt
from shared.domain.envelope import ModelRequest
from shared.domain.records import RunRecord
from shared.domain.rollouts.outcomes import OutcomeRecord
from shared.domain.rollouts.records import RolloutRecord
from shared.testing.memory import ScriptedModel
from tests.functional.rollouts import LOUD, TALK, pushed, several, variants, with_rollouts
from tests.functional.system import EVENT, System, flow, prompt

SPLIT = "{rollout: x, of: {prompt: say}, split: {variants: {production: 50, staging: 50}}}"
MODELS = (
    "{rollout: x, of: {model: say}, split:"
    " {key: event.data.user, variants: {gemini-2.5-flash: 50, gemini-2.5-pro: 50}}}"
)
OLD = flow("a: {call: test.echo, with: {value: old}}", name="old", more="outputs: {by: '{{ a }}'}")
NEW = flow(
    "a: {call: test.echo, with: {value: new}}",
    name="new",
    more="on: call\noutputs: {by: '{{ a }}'}\ninput: {required: [text]}",
)
FLOWS = "{rollout: x, of: {flow: old}, split: {variants: {old: 50, new: 50}}}"


async def outcome(system: System, run: str, name: str, value: object, **about: str) -> None:
    await system.start({"run": run, "name": name, "value": value}, "outcome.recorded", **about)


# -- prompts and models ---------------------------------------------------------------------------


async def test_a_label_gets_its_share_and_the_run_tells_which():
    system = System(with_rollouts(TALK, rollouts=SPLIT))
    await pushed(system, "staging")
    runs = await several(system, 12)
    assert set(variants(runs).values()) == {"production", "staging"}
    for run in runs:
        report = await system.report(run.run_id)
        pin = report["steps"]["a"]["prompt"]
        assert report["variants"] == {"x": pin["variant"]}
        is_loud = report["outputs"]["said"].startswith("a(LOUD")
        assert is_loud is (pin["variant"] == "staging") is (pin["version"] == LOUD.version)


async def test_a_run_keeps_its_variant_when_the_label_moves_and_when_it_is_redriven():
    system = System(with_rollouts(TALK, rollouts=SPLIT.replace("50", "0", 1).replace("50", "100")))
    await pushed(system, "staging")
    await system.publish(EVENT, {"text": "t"})
    await system.pipeline.step("route")
    system.world.library = with_rollouts(TALK, rollouts=SPLIT.replace("staging: 50", "s: 50"))
    await system.run()
    report = await system.report()
    assert report["outputs"]["said"] == "a(LOUD t)"
    assert report["steps"]["a"]["prompt"]["variant"] == "staging"


async def test_a_label_that_is_not_set_gets_nobody():
    system = System(with_rollouts(TALK, rollouts=SPLIT))
    runs = await several(system, 4)
    assert set(variants(runs).values()) == {"production"}
    assert system.letters() == []


async def test_a_version_that_is_not_there_is_a_clear_error_and_its_redrive_goes_on():
    system = System(with_rollouts(TALK, rollouts=SPLIT.replace("staging", "'1'")))
    await system.start({"text": "t"})
    report = await system.report()
    assert report["error"]["code"] == "PromptVersionMissing"
    assert "prompt 'say' has no version 1" in report["error"]["message"]
    await pushed(system, "other")
    await system.redrive()
    assert (await system.report())["status"] == "succeeded"


async def test_a_variant_that_does_not_fit_the_flow_is_told_of_and_not_used():
    system = System(with_rollouts(TALK, rollouts=SPLIT.replace("50", "0", 1).replace("50", "100")))
    unfit = LOUD.model_copy(update={"body": "{{ nowhere }}"})
    await pushed(system, "staging", type(LOUD)(**unfit.model_dump()))
    [run] = await several(system, 1)
    assert run.variants == {}
    assert (await system.report())["outputs"]["said"] == "a(t0)"
    assert any("does not fit" in text for _, text, _ in system.world.telemetry.lines)


async def test_the_same_key_gets_the_same_model():
    system = System(with_rollouts(TALK, rollouts=MODELS))
    for number in range(12):
        await system.start({"text": "t", "user": f"u{number % 4}"}, ce_id=f"e{number}")
    by_user: dict[int, set[str]] = {}
    for run in system.stored("runs", RunRecord):
        model = (await system.report(run.run_id))["steps"]["a"]["model"]
        assert model == run.variants["x"]
        by_user.setdefault(int(run.event_id[1:]) % 4, set()).add(model)
    assert all(len(models) == 1 for models in by_user.values())
    assert len(set.union(*by_user.values())) == 2


async def test_a_key_that_cannot_be_told_is_a_clear_error():
    system = System(with_rollouts(TALK, rollouts=MODELS))
    await system.start({"text": "t"})
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "Expression")
    assert system.letter().flow == "thing"


async def test_a_choice_costs_a_read_every_few_seconds_and_no_write():
    system = System(with_rollouts(TALK, rollouts=MODELS))
    await system.start({"text": "t", "user": "u"})
    [run_id] = system.run_ids()
    writes = system.world.documents.writes
    assert writes["rollouts/x"] == 1  # the first time ever
    assert writes[f"runs/{run_id}"] == 2  # opened, and ended


# -- flows ----------------------------------------------------------------------------------------


async def test_an_event_gets_one_of_the_flows_and_its_copies_the_same():
    system = System(with_rollouts(OLD, NEW, rollouts=FLOWS))
    await several(system, 10)
    first = {run.event_id: run.flow for run in system.stored("runs", RunRecord)}
    assert set(first.values()) == {"old", "new"}
    turned = FLOWS.replace("old: 50", "old: 0").replace("new: 50", "new: 100")
    system.world.library = with_rollouts(OLD, NEW, rollouts=turned)
    runs = await several(system, 10)
    assert {run.event_id: run.flow for run in runs} == first
    assert len(runs) == 10


@pytest.mark.parametrize("point", POINTS)
async def test_whoever_opens_a_variant_may_die_at_any_point(point: Point):
    system = System(with_rollouts(OLD, NEW, rollouts=FLOWS))
    await system.publish(EVENT, {"text": "t"}, ce_id="e1")
    [waiting] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(waiting), point)
    for weights in ("old: 0", "old: 100"):
        share = FLOWS.replace("old: 50", weights).replace(
            "new: 50", f"new: {100 - int(weights[5:])}"
        )
        system.world.library = with_rollouts(OLD, NEW, rollouts=share)
        await system.publish(EVENT, {"text": "t"}, ce_id="e1")
        await system.run()
    [run] = system.stored("runs", RunRecord)
    assert run.variants == {"x": run.flow}
    assert (await system.report())["outputs"] == {"by": run.flow}


async def test_an_event_that_its_flow_does_not_take_is_refused_and_redriven_as_that_flow():
    all_new = FLOWS.replace("old: 50", "old: 0").replace("new: 50", "new: 100")
    system = System(with_rollouts(OLD, NEW, rollouts=all_new))
    await system.start({})
    report = await system.report()
    assert (report["flow"], report["error"]["code"]) == ("old", "InputInvalid")
    await system.redrive()
    assert (await system.report())["outputs"] == {"by": "old"}


async def test_where_the_new_flow_fails_the_old_one_takes_over_once():
    broken = flow("a: {call: nowhere}", name="new", more="on: call")
    all_new = FLOWS.replace("old: 50", "old: 0").replace("new: 50", "new: 100")
    all_new = all_new.replace("}}}", "}}, fallback: old}")
    system = System(with_rollouts(OLD, broken, rollouts=all_new))
    for _ in range(2):
        await system.start({"text": "t"}, ce_id="e1", ce_subject="s")
    runs = {run.flow: run for run in system.stored("runs", RunRecord)}
    assert len(runs) == 2
    assert (runs["new"].status, runs["new"].fallback) == ("failed", "old")
    report = await system.report(runs["old"].run_id)
    assert (report["status"], report["outputs"]) == ("succeeded", {"by": "old"})
    assert report["fallback_of"] == runs["new"].run_id
    assert report["event"]["id"] == "e1"


@pytest.mark.parametrize("point", POINTS)
async def test_the_old_flow_takes_over_wherever_a_process_dies(point: Point):
    broken = flow("a: {call: nowhere}", name="new", more="on: call")
    all_new = FLOWS.replace("old: 50", "old: 0").replace("new: 50", "new: 100")
    all_new = all_new.replace("}}}", "}}, fallback: old}")
    system = System(with_rollouts(OLD, broken, rollouts=all_new))
    await system.publish(EVENT, {"text": "t"})
    while waiting := system.pipeline.collect():
        first = system.pipeline.take(waiting[0])
        is_told = first.message.attributes.get("ce-type") == "segue.run.ended"
        if is_told and first.attempt == 1:
            await system.killed_on(first, point)
        else:
            await system.pipeline.deliver(first)
        system.world.clock.advance(20)
    assert sorted(run.flow for run in system.stored("runs", RunRecord)) == ["new", "old"]


# -- outcomes and statistics ----------------------------------------------------------------------


async def test_the_latest_outcome_counts_however_they_come():
    system = System([TALK])
    [run] = await several(system, 1)
    for value, second in ((1, 5), (0, 3), (0.5, 9), (0.5, 9)):
        time = f"2026-01-01T00:00:0{second}Z"
        await outcome(system, run.run_id, "helpful", value, ce_id=f"o{second}", ce_time=time)
    await outcome(system, run.run_id, "polite", True, by="ada")
    found = system.stored(f"runs/{run.run_id}/outcomes", OutcomeRecord)
    assert [(one.name, one.value) for one in found] == [("helpful", 0.5), ("polite", True)]
    report = await system.report()
    assert report["outcomes"]["helpful"]["value"] == 0.5
    assert system.letters() == []


async def test_an_outcome_of_a_run_that_is_not_there_is_kept_with_its_reason():
    system = System([TALK])
    await outcome(system, "nobody", "helpful", 1)
    assert "there is no run 'nobody'" in system.letter().error.message


async def test_statistics_tell_variants_apart():
    system = System(with_rollouts(TALK, rollouts=SPLIT))
    await pushed(system, "staging")
    for run in await several(system, 12):
        await outcome(system, run.run_id, "helpful", run.variants["x"] == "staging")
    begin = system.stored("runs", RunRecord)[0].created_at.replace(year=2025)
    for found in (
        await of_prompt("say", ["thing"], begin, system.pipeline.deps()),
        await of_flow("thing", begin, system.pipeline.deps()),
    ):
        groups = {group["variant"].removeprefix("x="): group for group in found["groups"]}
        assert set(groups) == {"production", "staging"}
        assert sum(group["runs"] for group in groups.values()) == found["runs"] == 12
        helpful = {name: group["outcomes"]["helpful"]["value"] for name, group in groups.items()}
        assert helpful == {"production": 0, "staging": 1}
        staging = groups["staging"]
        assert staging["success"]["value"] == 1
        assert 0 < staging["success"]["low"] < 1
        assert staging["llm_calls"] == staging["runs"]
        assert staging["latency_s"]["p95"] >= staging["latency_s"]["p50"] >= 0


async def test_how_a_rollout_stands_is_kept():
    system = System(with_rollouts(TALK, rollouts=MODELS))
    await system.start({"text": "t", "user": "u"})
    [record] = system.stored("rollouts", RolloutRecord)
    assert (record.rollout, record.status, [move.why for move in record.history]) == (
        "x",
        "running",
        ["began"],
    )
    assert RolloutRecord.of(record.document()) == record


async def test_a_prompt_can_be_the_judge():
    talk = flow(
        """
        a: {prompt: say, with: {text: hi}}
        done:
          needs: a
          action: event.publish
          with: {type: reply.sent, data: {run: "{{ run.id }}", text: "{{ a.text }}"}}
        """
    )
    schema = {"type": "object", "required": ["score"], "properties": {"score": {"type": "number"}}}
    judge = flow(
        """
        score: {prompt: judge, with: {text: "{{ event.data.text }}"}}
        tell:
          needs: score
          action: event.publish
          with:
            type: outcome.recorded
            data:
              run: "{{ event.data.run }}"
              name: helpful
              value: "{{ score.score }}"
              by: judge
        """,
        prompt("judge", "Rate: {{ text }}", output=schema),
        name="judge",
        more="on: {event: reply.sent}",
    )

    def answer(request: ModelRequest) -> str:
        return '{"score": 0.8}' if request.output_schema else "hello"

    system = System([talk, judge], model=ScriptedModel(default=answer))
    await system.start()
    judged = next(run for run in system.stored("runs", RunRecord) if run.flow == "thing")
    report = await system.report(judged.run_id)
    told = report["outcomes"]["helpful"]
    assert (told["value"], told["by"]) == (0.8, "judge")
