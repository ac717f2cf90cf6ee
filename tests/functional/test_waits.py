"""Steps that wait: for the time, a signal or an approval; they hold no compute and end once."""

from __future__ import annotations

from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.domain.version import FlowVersion
from tests.functional.system import EVENT, System, flow

PAUSE = flow(
    """
    a: {call: test.echo, with: {value: 1}}
    pause: {needs: a, wait: {for: duration, duration: "{{ a }}h"}}
    b: {needs: [a, pause], call: test.echo, with: {value: "{{ pause.waited }} {{ a }}"}}
    """,
    more="outputs: {b: '{{ b }}'}",
)


async def tick(system: System, seconds: float = 0) -> None:
    """Time passes, and the next tick comes."""
    system.world.clock.advance(seconds)
    await system.send("sweep", b"", {"content-type": "application/json"})
    await system.run()


# -- durations ----------------------------------------------------------------------------------


async def test_a_run_waits_and_goes_on_when_the_time_has_passed():
    system = System([PAUSE])
    await system.start()
    assert await system.statuses() == {"a": "succeeded", "pause": "waiting", "b": "pending"}
    await tick(system, 3000)
    assert (await system.statuses())["pause"] == "waiting"
    await tick(system, 700)
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"b": "True 1"})
    assert system.letters() == []


async def test_a_missed_tick_loses_nothing_and_what_is_due_ends_once():
    system = System([PAUSE])
    await system.start()
    await tick(system, 30 * 3600)
    messages = len(system.world.messages.published)
    await tick(system)
    assert len(system.world.messages.published) == messages + 1  # the tick itself
    assert (await system.report())["status"] == "succeeded"


async def test_a_wait_costs_three_writes():
    """It is opened, ends in one commit with its join, and is forgotten when all has been sent."""
    system = System([PAUSE])
    await system.start()
    await tick(system, 4000)
    [run_id] = system.run_ids()
    assert system.world.documents.writes[f"runs/{run_id}/steps/pause"] == 3


@pytest.mark.parametrize("point", POINTS)
async def test_a_tick_that_dies_is_made_good_by_the_next(point: Point):
    system = System([PAUSE])
    await system.start()
    system.world.clock.advance(4000)
    await system.send("sweep", b"", {"content-type": "application/json"})
    [waiting] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(waiting), point)
    await system.run()
    await tick(system)
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"b": "True 1"})
    assert system.topics("act") <= 3


@pytest.mark.parametrize("point", POINTS)
async def test_whoever_opens_a_wait_may_die_at_any_point(point: Point):
    system = System([PAUSE])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at(point, "a")
    await system.run()
    await tick(system, 4000)
    assert (await system.report())["outputs"] == {"b": "True 1"}


@pytest.mark.parametrize(
    ("wait", "told"),
    [
        ("{for: duration, duration: '{{ event.data.x }}'}", "no duration"),
        ("{for: duration, duration: '{{ event.data.y }}'}", "between 0s and 366d"),
        ("{for: duration, until: '{{ event.data.x }}'}", "no time like"),
        ("{for: duration, duration: '{{ event.data.none }}'}", "undefined"),
    ],
)
async def test_a_wait_that_cannot_be_read_fails_its_step(wait: str, told: str):
    system = System([flow(f"pause: {{wait: {wait}}}")])
    await system.start({"x": [], "y": 1e9})
    report = await system.report()
    assert report["status"] == "failed"
    assert report["steps"]["pause"]["error"]["code"] in {"WaitInvalid", "Expression"}
    assert told in report["error"]["message"]
    assert system.letter().step == "pause"


async def test_a_wait_until_a_moment_ends_then():
    system = System([flow("pause: {wait: {for: duration, until: '2026-01-02T00:00:00+01:00'}}")])
    await system.start()
    await tick(system, 22 * 3600)
    assert (await system.report())["status"] == "waiting"
    await tick(system, 3600)
    assert (await system.report())["status"] == "succeeded"


async def test_a_deadline_ends_a_run_that_waits_and_its_wait_ends_with_it():
    system = System([flow("pause: {wait: {for: duration, duration: 1h}}", more="timeout: 5m")])
    await system.start()
    await tick(system, 400)
    assert (await system.report())["error"]["code"] == "RunTimeout"
    await tick(system, 4000)
    assert (await system.report())["status"] == "failed"
    await system.redrive((await system.report())["run_id"])
    await tick(system, 1)
    assert (await system.report())["status"] == "succeeded"


# -- timeouts -----------------------------------------------------------------------------------


def signalled(more: str, name: str = "paid") -> FlowVersion:
    return flow(
        f"""
        {name}: {{wait: {{for: signal{more}}}}}
        after: {{needs: {name}, call: test.echo, with: {{value: "{{{{ {name} }}}}"}}}}
        """,
        more="outputs: {after: '{{ after }}'}",
    )


async def test_a_wait_that_times_out_fails_and_leaves_a_letter():
    system = System([signalled(", timeout: 1h")])
    await system.start()
    await tick(system, 3700)
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "WaitTimeout")
    assert report["steps"]["paid"]["status"] == "failed"
    assert (system.letter().step, system.letter().error.code) == ("paid", "WaitTimeout")
    assert await tick_is_quiet(system)


async def tick_is_quiet(system: System) -> bool:
    before = len(system.world.messages.published)
    await tick(system)
    return len(system.world.messages.published) == before + 1


@pytest.mark.parametrize("point", POINTS)
async def test_a_timeout_that_dies_still_leaves_its_letter(point: Point):
    system = System([signalled(", timeout: 1h")])
    await system.start()
    system.world.clock.advance(3700)
    await system.send("sweep", b"", {"content-type": "application/json"})
    [waiting] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(waiting), point)
    await system.run()
    await tick(system)
    assert (await system.report())["error"]["code"] == "WaitTimeout"
    assert system.letter().step == "paid"
    assert await tick_is_quiet(system)


async def test_a_timeout_may_let_the_run_go_on():
    system = System([signalled(", timeout: 1h, on_timeout: continue")])
    await system.start()
    await tick(system, 3700)
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"after": {"timed_out": True}})


async def test_a_timeout_may_go_on_at_another_step():
    version = flow(
        """
        paid: {wait: {for: signal, timeout: 1h, on_timeout: {step: remind}}}
        remind: {call: test.echo, with: {value: please}}
        done: {needs: paid, call: test.echo}
        """,
        more="outputs: {remind: '{{ remind }}', done: '{{ done }}'}",
    )
    system = System([version])
    await system.start()
    await tick(system, 3700)
    report = await system.report()
    assert report["outputs"] == {"remind": "please", "done": None}
    assert await system.statuses() == {"paid": "failed", "remind": "succeeded", "done": "skipped"}
    assert system.letters() == []


@pytest.mark.parametrize(
    ("more", "output"),
    [
        (", fallback: {value: {data: none}}", {"data": "none"}),
        (", fallback: {value: '{{ event.data.n }}'}", 4),
    ],
)
async def test_a_fallback_takes_the_place_of_what_did_not_come(more: str, output: Any):
    version = flow(
        f"paid: {{wait: {{for: signal, timeout: 1h}}{more}}}", more="outputs: {o: '{{ paid }}'}"
    )
    system = System([version])
    await system.start({"n": 4})
    await tick(system, 3700)
    assert (await system.report())["outputs"] == {"o": output}


async def test_a_redrive_waits_anew():
    system = System([signalled(", timeout: 1h")])
    await system.start()
    await tick(system, 3700)
    await system.redrive()
    assert (await system.statuses())["paid"] == "waiting"
    await tick(system, 3700)
    assert (await system.report())["error"]["code"] == "WaitTimeout"
    assert len(system.letters()) == 2
