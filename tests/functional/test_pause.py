"""A run that is paused finishes what has begun, begins nothing, and goes on where it is resumed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.domain.commands import Cancel, Pause, Resume
from shared.domain.records import RunRecord, StepRecord
from shared.ports import Document
from shared.testing.pipeline import Waiting
from tests.functional import calls
from tests.functional.system import EVENT, System, flow
from tests.functional.test_cancel import Dying, steps

WHOLE = flow(
    """
    a: {call: test.count, with: {name: a}}
    said: {needs: a, prompt: say, with: {text: hello}}
    b: {needs: a, call: test.count, with: {name: b, value: 1}}
    off: {needs: b, when: b > 1, call: test.count, with: {name: off}}
    behind: {needs: off, call: test.count, with: {name: behind}}
    each:
      needs: a
      foreach: {in: "range(6)", max_parallel: 2}
      call: test.count
      with: {name: "i{{ item }}", value: "{{ item }}"}
    empty: {needs: b, foreach: "[]", call: test.echo}
    over: {needs: empty, when: "empty | length > 0", call: test.echo}
    later:
      needs: a
      call: test.count
      with: {name: later, value: 7}
      retry: {attempts: 2, backoff: {initial: 60s}}
    tip:
      needs: [said, b, behind, each, later, over]
      call: test.count
      with: {name: tip, value: "{{ said.text }} {{ b }} {{ each }} {{ later }}"}
    """,
    more="outputs: {tip: '{{ tip }}'}",
)
OUTPUT = {"tip": "said(hello) 1 [0, 1, 2, 3, 4, 5] 7"}


async def say(system: System, kind: Any, **about: str) -> None:
    """Asks it of the only run; `route` gets to know at once."""
    [run_id] = system.run_ids()
    system.world.clock.advance(1)
    await system.publish(kind.type, {"run": run_id, **about})
    await system.pipeline.step("route")


async def ticks(system: System, seconds: float) -> None:
    system.world.clock.advance(seconds)
    await system.send("sweep", b"", {"content-type": "application/json"})
    await system.run()


def begun(system: System) -> set[str]:
    """The steps and items that somebody has begun to work on."""
    return {name for name, record in steps(system).items() if record.attempts}


async def require_whole(system: System) -> None:
    """The run has ended as if nothing had been, and nothing was done twice."""
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", OUTPUT)
    counted = {name: n for name, n in calls.SEEN.items() if name != "later"}
    assert counted == {"a": 1, "b": 1, "tip": 1, **{f"i{n}": 1 for n in range(6)}}
    assert len(system.asked()) == 1
    assert system.letters() == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("after", range(0, 24, 2))
async def test_a_run_can_be_paused_and_resumed_at_every_moment(after: int, seed: int):
    calls.BROKEN.add("later")
    system = System([WHOLE], seed=seed)
    await system.publish(EVENT)
    await system.pipeline.step("route")
    for _ in range(after):
        await system.pipeline.step()
    await say(system, Pause, by="ada", reason="wait a moment")
    before = begun(system)
    await system.run()
    await ticks(system, 3600)
    assert begun(system) == before  # what had begun has gone on, and nothing else
    calls.BROKEN.clear()
    await say(system, Resume)
    await system.run()
    await ticks(system, 600)
    await ticks(system, 600)
    await require_whole(system)


async def test_the_run_says_that_it_is_paused_since_when_and_why():
    system = System([WHOLE])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await say(system, Pause, by="ada", reason="wait a moment")
    [run] = system.stored("runs", RunRecord)
    assert (run.status, run.is_paused) == ("running", True)
    assert (run.paused_by, run.pause_reason) == ("ada", "wait a moment")
    await say(system, Resume)
    [run] = system.stored("runs", RunRecord)
    assert (run.is_paused, run.paused_by, run.pause_reason) == (False, None, None)


async def test_the_last_command_counts_whatever_comes_late_or_twice():
    system = System([WHOLE])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await say(system, Pause)
    [paused] = [one for one in system.world.messages.published if Pause.type in str(one)]
    await say(system, Resume)
    late = _again(system, paused)
    await system.pipeline.deliver(late)
    assert not system.stored("runs", RunRecord)[0].is_paused
    await system.run()
    await require_whole(system)


def _again(system: System, published: Any) -> Waiting:
    """The first delivery of a message, once more: it was published when it was."""
    _, message_id, message = published
    [run] = system.stored("runs", RunRecord)
    at = run.created_at
    return Waiting("route", "events", message_id, message, at, at, attempt=2)


async def test_pausing_and_resuming_twice_changes_nothing():
    system = System([WHOLE])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    for kind in (Pause, Pause, Resume, Resume):
        await say(system, kind)
    await system.run()
    await require_whole(system)


@pytest.mark.parametrize("kind", [Pause, Resume])
async def test_a_run_that_has_ended_is_left_alone(kind: Any):
    system = System([WHOLE])
    await system.start()
    before = dict(system.world.documents.documents)
    await say(system, kind)
    assert system.world.documents.documents == before
    [line] = [line for line in system.world.telemetry.lines if line[0] == "WARNING"]
    assert "it has succeeded already" in line[1]


@pytest.mark.parametrize("commits", range(1, 6))
@pytest.mark.parametrize("kind", [Pause, Resume])
async def test_a_command_that_dies_is_completed_by_its_redelivery(kind: Any, commits: int):
    system = System([WHOLE], store=Dying)
    await system.publish(EVENT)
    for _ in range(6):
        await system.pipeline.step()
    store: Any = system.world.store
    if kind is Resume:
        await say(system, Pause)
        await system.run()
    store.left = commits
    await say(system, kind)
    store.left = -1
    if kind is Pause:
        waiting = [one for one in system.pipeline.collect() if one.stage == "route"]
        for one in waiting:
            await system.pipeline.deliver(system.pipeline.take(one))
        before = begun(system)
        await system.run()
        assert begun(system) == before
        await say(system, Resume)
    await system.run()
    await require_whole(system)


@pytest.mark.parametrize("point", POINTS)
async def test_work_that_ends_while_its_run_is_paused_is_recorded(point: Point):
    system = System([WHOLE])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at(point, "a")
    await say(system, Pause)
    await system.run()
    assert begun(system) <= {"a"}
    await say(system, Resume)
    await system.run()
    assert (await system.report())["outputs"] == OUTPUT
    assert calls.SEEN["a"] == 1 + (point == "worked")


async def test_a_paused_run_can_be_cancelled():
    system = System([WHOLE])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await say(system, Pause)
    await say(system, Cancel)
    await system.run()
    report = await system.report()
    assert report["status"] == "cancelled"
    assert {step["status"] for step in report["steps"].values()} == {"cancelled"}
    [run] = system.stored("runs", RunRecord)
    assert not run.is_paused


async def test_a_run_that_failed_while_it_was_paused_goes_on_by_a_redrive():
    calls.BROKEN.add("b")
    system = System([WHOLE])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.pipeline.step("act")
    await system.killed_at("claimed", "b")
    await say(system, Pause)
    await system.run()
    assert (await system.report())["status"] == "failed"
    calls.BROKEN.clear()
    await system.redrive()
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", OUTPUT)


@pytest.mark.parametrize("more", ["", "foreach: '[2]', "])
async def test_a_run_that_fails_while_it_is_resumed_goes_on_by_a_redrive(more: str):
    """Nothing behind what has failed is skipped for good."""
    calls.BROKEN.add("bad")
    version = flow(
        f"""
        bad: {{{more}call: test.count, with: {{name: bad, value: 2}}}}
        tip: {{needs: bad, call: test.count, with: {{name: tip, value: "{{{{ bad }}}}"}}}}
        """,
        more="outputs: {tip: '{{ tip }}'}",
    )
    system = System([version])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    reads: Any = system.world.documents.get_many

    async def fails_meanwhile(paths: Sequence[str]) -> list[Document | None]:
        if any(path.endswith("/steps/tip") for path in paths):  # the run has been read
            system.world.documents.get_many = reads  # type: ignore[method-assign]
            await system.run()
            assert (await system.report())["status"] == "failed"
        return list(await reads(paths))

    system.world.documents.get_many = fails_meanwhile  # type: ignore[method-assign]
    await say(system, Resume)
    assert system.world.documents.get_many == reads
    await system.run()
    assert "tip" not in steps(system)
    calls.BROKEN.clear()
    await system.redrive()
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"tip": [2] if more else 2})


async def test_a_retry_that_was_put_off_keeps_its_time_through_a_pause():
    calls.BROKEN.add("later")
    system = System([WHOLE])
    await system.start()
    due = steps(system)["later"].due
    assert due is not None
    await say(system, Pause)
    record = steps(system)["later"]
    assert (record.due, record.held_due) == (None, due)
    await say(system, Resume)
    await system.run()
    assert steps(system)["later"].due == due
    assert calls.SEEN["later"] == 1


async def test_a_pause_costs_a_running_step_nothing():
    version = flow("a: {prompt: say, with: {text: hi}}\nb: {needs: a, call: test.echo}")
    system = System([version])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    system.world.documents.reset_counts()
    await system.run()
    counts = system.world.documents
    [run_id] = system.run_ids()
    assert counts.writes[f"runs/{run_id}/steps/a"] == 2
    assert counts.reads[f"runs/{run_id}/steps/a"] == 0


def test_records_of_before_pauses_can_be_read():
    """As an older deployment has written them."""
    assert StepRecord.model_fields["held"].default is False
    assert RunRecord.model_fields["paused_at"].default is None
