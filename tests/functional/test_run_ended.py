"""The end of a run that somebody must hear of is heard, whatever dies; others send nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.delivery.letters.redrive import redrive
from shared.delivery.runs import hearing
from shared.delivery.runs.aftermath import GRACE
from shared.domain.commands import RunEnded
from shared.domain.records import RunRecord
from shared.domain.starts.by_name import Child, ParentRef
from shared.errors import EventInvalidError
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

CHILD = Child("parent-1", "s", "thing")
STEPS = """
    a: {call: test.count, with: {name: a}}
    b: {needs: a, call: test.count, with: {name: b}}
"""


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(status, redrives) of the runs whose end was heard of."""
    ends: list[tuple[str, int]] = []

    async def listen(_found, run: RunRecord, *_: object) -> bool:
        ends.append((run.status.value, run.redrives))
        return True

    monkeypatch.setattr(hearing, "LISTENERS", (listen,))
    return ends


async def begun(steps: str = STEPS, more: str = "") -> System:
    """The run of another run's step; its own first step waits to be delivered."""
    system = System([flow(steps, more=more)])
    await system.send("events", b"{}", CHILD.attributes())
    await system.pipeline.step("route")
    return system


async def tick(system: System) -> None:
    system.world.clock.advance(timedelta(seconds=GRACE))
    await system.send("sweep", b"", {})
    await system.run()


def announced(system: System) -> list[str]:
    """The ids of the commands that tell of an end."""
    return [
        message.attributes["ce-id"]
        for topic, _, message in system.world.messages.published
        if topic == "events" and message.attributes["ce-type"] == RunEnded.type
    ]


def record_of(system: System) -> RunRecord:
    [run] = system.stored("runs", RunRecord)
    return run


async def test_whoever_waits_for_a_run_hears_of_its_end(heard):
    system = await begun()
    run = record_of(system)
    assert (run.run_id, run.parent) == (CHILD.run_id, ParentRef(run_id="parent-1", step="s"))
    assert run.unheard
    await system.run()
    assert heard == [("succeeded", 0)]
    assert not record_of(system).unheard
    assert len(announced(system)) == 1
    await tick(system)
    assert heard == [("succeeded", 0)]


async def test_nothing_is_sent_where_nobody_waits(heard):
    system = System([flow(STEPS)])
    await system.start()
    await tick(system)
    assert announced(system) == []
    assert not record_of(system).unheard
    assert heard == []


ENDS = {
    "a step fails": ("a: {call: test.fail}", "", "failed"),
    "a step cannot be rendered": (
        "a: {prompt: say, with: {text: '{{ event.data.x.y }}'}}",
        "",
        "failed",
    ),
    "all is skipped": ("a: {call: test.count, when: '1 > 2'}", "", "succeeded"),
    "an item fails": ("a: {foreach: '[1]', call: test.fail}", "", "failed"),
    "a list is empty": ("a: {foreach: '[]', call: test.count}", "", "succeeded"),
    "branches join": ("a: {call: test.echo}\nb: {call: test.echo}", "", "succeeded"),
    "outputs cannot be filled": ("a: {call: test.echo}", "outputs: {a: '{{ a.b.c }}'}", "failed"),
    "the data does not fit": ("a: {call: test.echo}", "input: {type: array}", "failed"),
}


@pytest.mark.parametrize(("steps", "more", "status"), ENDS.values(), ids=ENDS)
async def test_every_end_is_heard_at_once(heard, steps: str, more: str, status: str):
    system = await begun(steps, more)
    await system.run()
    assert heard == [(status, 0)]


async def test_a_run_that_times_out_is_heard_of(heard):
    system = await begun(more="timeout: 1m")
    system.world.clock.advance(timedelta(minutes=1))
    await system.send("sweep", b"", {})
    await system.run()
    assert heard == [("failed", 0)]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("fails", [False, True])
async def test_an_end_is_heard_of_once_wherever_the_last_step_dies(heard, point: Point, fails):
    if fails:
        calls.BROKEN.add("b")
    system = await begun()
    await system.pipeline.step("act")
    await system.killed_at(point, "b")
    await system.run()
    await tick(system)
    assert heard == [("failed" if fails else "succeeded", 0)]


async def test_sweep_finds_an_end_whose_announcement_was_lost(heard):
    system = await begun("a: {call: test.echo}")
    await system.pipeline.step("act")
    for waiting in system.pipeline.collect():
        system.pipeline.take(waiting)
    assert heard == []
    await tick(system)
    assert heard == [("succeeded", 0)]
    assert len(set(announced(system))) == 1  # twice the same command


async def test_a_run_that_was_redriven_is_heard_of_again(heard):
    calls.BROKEN.add("b")
    system = await begun()
    await system.run()
    calls.BROKEN.clear()
    await system.redrive()
    assert heard == [("failed", 0), ("succeeded", 1)]
    assert len(set(announced(system))) == 2


async def test_an_end_is_not_told_of_a_run_that_goes_on_again(heard):
    calls.BROKEN.add("a")
    system = await begun("a: {call: test.count, with: {name: a}}")
    await system.pipeline.step("act")
    [command] = [one for one in system.pipeline.collect() if one.stage == "route"]
    system.pipeline.take(command)
    await system.pipeline.step("bury")
    await redrive(system.letter().letter_id, system.pipeline.deps())
    await system.pipeline.deliver(command)
    assert heard == []
    await system.run()
    assert heard == [("failed", 1)]


async def test_what_cannot_be_told_is_kept_once_and_can_be_redriven(monkeypatch, heard):
    async def refuse(*_: object) -> bool:
        raise EventInvalidError("no")

    listen = hearing.LISTENERS
    monkeypatch.setattr(hearing, "LISTENERS", (refuse,))
    system = await begun()
    await system.run()
    await tick(system)
    assert [letter.stage for letter in system.letters()] == ["route"]
    monkeypatch.setattr(hearing, "LISTENERS", listen)
    await system.redrive()
    assert heard == [("succeeded", 0)]


async def test_what_is_not_ready_is_told_again_by_the_next_tick(monkeypatch, heard):
    ready: list[bool] = []
    listen = hearing.LISTENERS

    async def not_yet(*_: object) -> bool:
        return bool(ready)

    monkeypatch.setattr(hearing, "LISTENERS", (not_yet, *listen))
    system = await begun()
    await system.run()
    assert heard == []
    ready.append(True)
    await tick(system)
    assert heard == [("succeeded", 0)]


async def test_a_command_about_no_run_is_let_go(heard):
    system = System([flow(STEPS)])
    await system.publish(RunEnded.type, {"run": "gone"})
    await system.run()
    assert (heard, system.letters()) == ([], [])
    assert EVENT not in system.run_ids()
