"""Joins that wait for some of their branches, and runs that end before all of theirs have."""

from __future__ import annotations

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.domain.version import FlowVersion
from tests.functional import calls
from tests.functional.system import EVENT, System, flow


def echo(name: str, more: str = "", value: str = "1") -> str:
    return f"{name}: {{{more}call: test.count, with: {{name: {name}, value: {value}}}}}"


def graph(*steps: str, outputs: str = "") -> FlowVersion:
    more = f"outputs: {{{outputs}}}" if outputs else ""
    return flow("\n".join(steps), more=more)


def race(join: str, *more: str) -> FlowVersion:
    branches = [echo(f"s{n}", value=str(n)) for n in range(4)]
    tip = echo("tip", f"needs: [s0, s1, s2, s3], join: {join}, ")
    return graph(*branches, tip, *more, outputs="tip: '{{ tip }}'")


def act_messages(system: System, step: str) -> int:
    published = system.world.messages.published
    return sum(
        topic == "act" and message.attributes["segue-step"] == step
        for topic, _, message in published
    )


async def step_on(system: System, *steps: str) -> None:
    """Delivers the messages of these steps, in this order."""
    for step in steps:
        [waiting] = [
            one
            for one in system.pipeline.collect()
            if one.message.attributes.get("segue-step") == step
        ]
        await system.pipeline.deliver(system.pipeline.take(waiting))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("join", "needed"), [("any", 1), ("{n: 2}", 2), ("{n: 4}", 4)])
async def test_a_join_starts_once_with_so_many_successes(join: str, needed: int, seed: int):
    system = System([race(join)], seed=seed)
    await system.start()
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"tip": 1})
    assert act_messages(system, "tip") == 1
    assert report["steps"]["tip"]["attempts"] == 1
    done = [step for step in report["steps"].values() if step["status"] == "succeeded"]
    assert len(done) >= needed + 1


async def test_a_join_does_not_wait_for_the_branches_it_does_not_need():
    system = System([race("{n: 2}")])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await step_on(system, "s3")
    assert act_messages(system, "tip") == 0
    await step_on(system, "s1")
    assert act_messages(system, "tip") == 1
    await step_on(system, "tip")
    assert (await system.report())["status"] == "succeeded"


async def test_branches_that_come_later_change_nothing():
    system = System([race("any", echo("other", "needs: s2, "))])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await step_on(system, "s0", "tip", "s1", "s2", "s3", "other")
    await system.run()
    report = await system.report()
    assert act_messages(system, "tip") == 1
    assert calls.SEEN["tip"] == 1
    assert report["status"] == "succeeded"
    assert {step["status"] for step in report["steps"].values()} == {"succeeded"}
    joins = await system.joins()
    assert (joins["tip"]["arrived"], joins["tip"]["succeeded"]) == (4, 4)


async def test_what_is_left_behind_does_nothing_once_the_run_has_ended():
    system = System([race("any")])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await step_on(system, "s0", "tip")
    assert (await system.report())["status"] == "succeeded"
    await system.run()
    assert (calls.SEEN["s1"], calls.SEEN["s2"], calls.SEEN["s3"]) == (0, 0, 0)
    assert system.letters() == []


async def test_prompts_of_branches_left_behind_are_not_asked():
    version = flow(
        """
        quick: {call: test.echo, with: {value: 1}}
        slow: {prompt: say, with: {text: slow}}
        tip: {needs: [quick, slow], join: any, call: test.echo}
        """
    )
    system = System([version])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await step_on(system, "quick", "tip")
    await system.run()
    assert system.asked() == []


async def test_the_failure_of_a_branch_left_behind_leaves_no_letter():
    calls.BROKEN.add("s1")
    system = System([race("any")])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    [late] = [
        one for one in system.pipeline.collect() if one.message.attributes["segue-step"] == "s1"
    ]
    system.pipeline.take(late)
    # `s1` has its claim when the run ends.
    await system.killed_on(late, "claimed")
    await step_on(system, "s0", "tip")
    assert (await system.report())["status"] == "succeeded"
    await system.run()
    assert system.letters() == []


@pytest.mark.parametrize("join", ["any", "{n: 2}"])
async def test_a_join_is_skipped_where_too_few_can_succeed(join: str):
    steps = [echo(f"s{n}", "when: 'false', " if n else "") for n in range(3)]
    if join == "any":
        steps[0] = echo("s0", "when: 'false', ")
    tip = echo("tip", f"needs: [s0, s1, s2], join: {join}, ")
    system = System([graph(*steps, tip, echo("after", "needs: tip, "), outputs="o: '{{ tip }}'")])
    await system.start()
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"o": None})
    assert report["steps"]["tip"]["status"] == report["steps"]["after"]["status"] == "skipped"
    assert calls.SEEN["tip"] == 0


@pytest.mark.parametrize("seed", range(6))
async def test_joins_of_all_kinds_nest(seed: int):
    version = graph(
        *(echo(f"s{n}", value=str(n)) for n in range(6)),
        echo("pair", "needs: [s0, s1], ", "'{{ s0 + s1 }}'"),
        echo("two", "needs: [s2, s3, s4], join: {n: 2}, ", "10"),
        echo("first", "needs: [pair, two, s5], join: any, ", "100"),
        echo("all", "needs: [first, pair, two], ", "'{{ first + pair + two }}'"),
        outputs="sum: '{{ all }}'",
    )
    system = System([version], seed=seed)
    await system.start()
    assert (await system.report())["outputs"] == {"sum": 111}
    for step in ("pair", "two", "first", "all"):
        assert calls.SEEN[step] == 1


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_any_point_of_any_branch_starts_a_join_once(point: Point):
    system = System([race("{n: 2}")])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    for step in ("s0", "s1", "s2", "s3"):
        await system.killed_at(point, step)
    await system.run()
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"tip": 1})
    assert report["steps"]["tip"]["attempts"] == 1
    assert calls.SEEN["tip"] == 1


async def test_a_step_that_finishes_the_run_ends_it_with_what_is_known():
    version = graph(
        echo("a", value="3"),
        echo("b", value="4"),
        echo("quick", "needs: a, finish: true, ", "'{{ a + 1 }}'"),
        echo("slow", "needs: b, ", "'{{ b }}'"),
        outputs="quick: '{{ quick }}', b: '{{ b }}', slow: '{{ slow }}'",
    )
    system = System([version])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await step_on(system, "b", "a", "quick")
    report = await system.report()
    assert (report["status"], report["outputs"]) == (
        "succeeded",
        {"quick": 4, "b": 4, "slow": None},
    )
    await system.run()
    assert calls.SEEN["slow"] == 0
    assert await system.report() == report


async def test_a_run_whose_finishing_step_is_skipped_ends_with_its_last_leaf():
    version = graph(
        echo("a"),
        echo("stop", "needs: a, when: a > 5, finish: true, "),
        echo("b", "needs: a, ", "2"),
        outputs="b: '{{ b }}'",
    )
    system = System([version])
    await system.start()
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"b": 2})
    assert report["steps"]["stop"]["status"] == "skipped"


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_around_an_early_end_ends_the_run_once(point: Point):
    version = graph(echo("a", "finish: true, "), echo("b"), outputs="a: '{{ a }}'")
    system = System([version])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at(point, "a")
    await system.run()
    report = await system.report()
    assert report["status"] == "succeeded"
    assert system.world.documents.writes[f"runs/{report['run_id']}"] == 2


async def test_a_condition_sees_anything_that_lies_before_its_step():
    version = graph(
        echo("a", value="1"),
        echo("b", "needs: a, ", "2"),
        echo("c", "needs: b, ", "3"),
        echo("d", "needs: c, when: a + b + c == 6 and event.data.go, ", "4"),
        echo("e", "needs: d, when: a > 1, ", "5"),
    )
    system = System([version])
    await system.start({"go": True})
    statuses = await system.statuses()
    assert (statuses["d"], statuses["e"]) == ("succeeded", "skipped")


async def test_a_run_that_failed_beside_a_decided_join_can_be_redriven():
    calls.BROKEN.add("bad")
    version = graph(
        echo("a"),
        echo("b"),
        echo("bad"),
        echo("tip", "needs: [a, b], join: any, ", "7"),
        outputs="tip: '{{ tip }}'",
    )
    system = System([version])
    await system.start()
    assert (await system.report())["status"] == "failed"
    calls.BROKEN.clear()
    await system.redrive()
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"tip": 7})
    assert (calls.SEEN["bad"], calls.SEEN["tip"]) == (2, 1)
