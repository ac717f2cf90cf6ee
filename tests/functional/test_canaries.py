"""Canaries and rollouts that adapt: each run is counted once, and what is proven follows."""

from __future__ import annotations

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.delivery.rollouts.moving import RolloutRefusedError, RolloutUnknownError, move
from shared.delivery.rollouts.telling import all_rollouts, rollout_report
from shared.domain.prompts.refs import PromptRef
from shared.domain.records import RunRecord
from shared.domain.rollouts.records import RolloutRecord, Standing, TallyRecord
from shared.prompting.pushing import PromptChanges
from shared.prompting.registry import StoredPrompts
from tests.functional.rollouts import TALK, by, pushed, several, variants, with_rollouts
from tests.functional.system import EVENT, System, prompt
from tests.functional.test_rollouts import NEW, OLD, outcome
from tests.functional.test_waits import tick

CANARY = (
    "{rollout: x, of: {prompt: say}, canary:"
    " {candidate: staging, share: 50%, alpha: 0.2, min_runs: 4, guard: {metric: helpful}}}"
)
ENDS = (
    "{rollout: x, of: {flow: old}, canary: {candidate: new, share: 50%, min_runs: 1,"
    " guard: [{metric: success}, {metric: latency, range: [0, 60]},"
    " {metric: cost, range: [0, 1]}]}}"
)
ADAPT = "{rollout: x, of: {model: say}, adapt: {arms: [m1, m2], outcome: helpful}}"


def record(system: System) -> RolloutRecord:
    [found] = system.stored("rollouts", RolloutRecord)
    return found


def counts(system: System) -> dict[tuple[str, str], tuple[int, float]]:
    """By variant and metric: how many runs, and the sum of their scores."""
    found = system.stored("rollouts/x/tallies", TallyRecord)
    return {(one.variant, one.metric): (one.n, one.tally.total) for one in found}


async def judged(system: System, n: int, *, staging: bool, production: bool) -> None:
    """So many runs more, each with an outcome that its variant decides."""
    known = set(system.run_ids())
    for number in range(n):
        await system.start({"text": "t"}, ce_id=f"j{len(known)}-{number}")
    for run in system.stored("runs", RunRecord):
        if run.run_id not in known:
            value = staging if run.variants["x"] == "staging" else production
            await outcome(system, run.run_id, "helpful", value)


async def label(system: System, name: str) -> int | None:
    found = await StoredPrompts(system.world.documents).pushed(PromptRef("say", name))
    return found.number if found is not None else None


async def canary(*, then: str = "promote") -> System:
    """Version 1 of the prompt is in production, version 2 is its candidate."""
    text = CANARY.replace("guard:", f"then: {then}, guard:")
    system = System(with_rollouts(TALK, rollouts=text))
    await pushed(system, "production", prompt("say", "soft {{ text }}"))
    await pushed(system, "staging")
    return system


# -- decisions ------------------------------------------------------------------------------------


async def test_a_candidate_that_is_better_gets_the_label_and_nothing_is_deployed():
    system = await canary()
    await judged(system, 40, staging=True, production=False)
    await tick(system, 1)
    assert (await label(system, "production"), record(system).status) == (2, "promoted")
    [began, promoted] = record(system).history
    assert (began.by, promoted.by) == ("x", "x")
    assert "not worse at helpful (production 0.000 of" in promoted.why
    moves = await StoredPrompts(system.world.documents).moves("say")
    assert (moves[0].label, moves[0].version, moves[0].by) == ("production", 2, "x")
    await tick(system, 10)
    await system.start({"text": "after"}, ce_id="after")
    report = await system.report(
        next(r.run_id for r in system.stored("runs", RunRecord) if r.event_id == "after")
    )
    assert report["outputs"]["said"] == "a(LOUD after)"


async def test_a_candidate_that_is_worse_gets_nobody_until_there_is_another():
    system = await canary()
    await judged(system, 40, staging=False, production=True)
    await tick(system, 1)
    assert (await label(system, "production"), record(system).status) == (1, "rolled_back")
    await tick(system, 10)
    before = len(system.run_ids())
    await judged(system, 8, staging=False, production=True)
    latest = system.stored("runs", RunRecord)
    assert {run.variants["x"] for run in latest if run.event_id.startswith(f"j{before}")} == {
        "production"
    }
    trial = record(system).trial
    await pushed(system, "staging", prompt("say", "third {{ text }}"))
    await tick(system, 10)
    await judged(system, 1, staging=True, production=True)
    assert (record(system).status, record(system).trial != trial) == ("running", True)
    assert record(system).past == {trial: "rolled_back"}


async def test_where_it_says_hold_a_person_promotes():
    system = await canary(then="hold")
    await judged(system, 40, staging=True, production=False)
    await tick(system, 1)
    assert (await label(system, "production"), record(system).status) == (1, "held")
    await move("x", Standing.PROMOTED, "ada", "looks good", system.pipeline.deps())
    assert await label(system, "production") == 2
    assert record(system).history[-1].by == "ada"


async def test_nothing_is_decided_of_few_runs_or_where_nothing_is_proven():
    system = await canary()
    await judged(system, 6, staging=True, production=False)
    await tick(system, 1)
    await judged(system, 30, staging=True, production=True)
    await tick(system, 1)
    report = await rollout_report("x", system.pipeline.deps())
    assert (report["status"], report["verdicts"]) == ("running", {"helpful": "open"})
    assert sum(row["runs"] for row in report["measured"]) == 36


async def test_a_label_that_moves_begins_another_trial_and_the_old_runs_count_no_more():
    system = await canary()
    await judged(system, 6, staging=True, production=True)
    old = system.stored("runs", RunRecord)
    changes = PromptChanges(system.world.documents)
    await changes.push(prompt("say", "third {{ text }}"), by(system), label="staging")
    await tick(system, 10)
    await judged(system, 4, staging=True, production=True)
    for run in old:
        await outcome(system, run.run_id, "helpful", 0)
    trial = record(system).trial
    found = system.stored("rollouts/x/tallies", TallyRecord)
    assert sum(one.n for one in found if one.trial == trial) == 4
    assert sum(one.n for one in found) == 10


# -- counting -------------------------------------------------------------------------------------


async def test_what_is_known_when_a_run_ends_is_counted_then():
    system = System(with_rollouts(OLD, NEW, rollouts=ENDS))
    runs = await several(system, 8)
    n = {name: sum(run.flow == name for run in runs) for name in ("old", "new")}
    for name in ("old", "new"):
        assert counts(system)[name, "success"] == (n[name], n[name])
        assert counts(system)[name, "cost"] == (n[name], n[name])
        how_many, score = counts(system)[name, "latency"]
        assert how_many == n[name]
        assert 0 < score < how_many


@pytest.mark.parametrize("point", POINTS)
async def test_a_run_is_counted_once_wherever_a_process_dies(point: Point):
    system = System(with_rollouts(OLD, NEW, rollouts=ENDS))
    await system.publish(EVENT, {"text": "t"})
    while waiting := system.pipeline.collect():
        first = system.pipeline.take(waiting[0])
        if first.attempt == 1:
            await system.killed_on(first, point)
        else:
            await system.pipeline.deliver(first)
        system.world.clock.advance(20)
    for _ in range(3):
        await tick(system, 60)
    [run] = system.stored("runs", RunRecord)
    assert run.status == "succeeded"
    assert counts(system)[run.flow, "success"] == (1, 1)


@pytest.mark.parametrize("point", POINTS)
async def test_an_outcome_is_counted_once_wherever_a_process_dies(point: Point):
    system = await canary()
    [run] = await several(system, 1)
    for _ in range(2):
        about = {"run": run.run_id, "name": "helpful", "value": True}
        await system.publish("outcome.recorded", about, ce_id="o1")
    [first, _] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(first), point)
    await system.run()
    await outcome(system, run.run_id, "helpful", False)  # what came first counts
    assert counts(system) == {(run.variants["x"], "helpful"): (1, 1)}


async def test_a_run_that_is_not_counted_costs_nothing_more():
    system = System(with_rollouts(TALK, rollouts=CANARY))
    [run] = await several(system, 1)
    assert (run.trials, run.unheard) == ({}, False)  # the label is not set
    assert system.topics("events") == 1


# -- people ---------------------------------------------------------------------------------------


async def test_a_pause_gives_everybody_the_first_variant():
    system = await canary()
    await several(system, 1)
    deps = system.pipeline.deps()
    await move("x", Standing.PAUSED, "ada", "wait", deps)
    await tick(system, 10)
    runs = await several(system, 10)
    assert {variant for event, variant in variants(runs).items() if event != "e0"} == {"production"}
    await move("x", Standing.RUNNING, "ada", "on", deps)
    assert [one["status"] for one in await all_rollouts(deps)] == ["running"]


async def test_what_cannot_be_done_is_said_and_changes_nothing():
    system = await canary()
    deps = system.pipeline.deps()
    with pytest.raises(RolloutUnknownError, match="no run has met a rollout 'x'"):
        await move("x", Standing.PAUSED, "ada", "", deps)
    await several(system, 1)
    with pytest.raises(RolloutRefusedError, match="is running already"):
        await move("x", Standing.RUNNING, "ada", "", deps)
    with pytest.raises(RolloutRefusedError, match="there are production, staging"):
        await move("x", Standing.PROMOTED, "ada", "", deps, variant="beta")
    await pushed(system, "staging", prompt("say", "third {{ text }}"))
    with pytest.raises(RolloutRefusedError, match="is not the version that was tried"):
        await move("x", Standing.PROMOTED, "ada", "", deps)
    assert len(record(system).history) == 1


async def test_a_promoted_flow_gets_all_events():
    system = System(with_rollouts(OLD, NEW, rollouts=ENDS))
    await several(system, 1)
    await move("x", Standing.PROMOTED, "ada", "", system.pipeline.deps())
    await tick(system, 10)
    runs = await several(system, 6)
    assert {run.flow for run in runs if run.event_id != "e0"} == {"new"}


# -- adapting -------------------------------------------------------------------------------------


async def test_the_arm_with_the_better_outcomes_gets_the_most():
    system = System(with_rollouts(TALK, rollouts=ADAPT))
    for number in range(60):
        await system.start({"text": "t"}, ce_id=f"e{number}")
        run = next(r for r in system.stored("runs", RunRecord) if r.event_id == f"e{number}")
        await outcome(system, run.run_id, "helpful", run.variants["x"] == "m2")
        system.world.clock.advance(3)
    chosen = [run.variants["x"] for run in system.stored("runs", RunRecord)]
    assert chosen.count("m2") > 40
    assert counts(system)["m2", "helpful"] == (chosen.count("m2"), chosen.count("m2"))
