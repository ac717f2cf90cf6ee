"""What the steps of a run have done is undone where it fails or is cancelled, in reverse, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.delivery.letters.redrive import redrive
from shared.delivery.runs.aftermath import GRACE
from shared.domain.actions import HttpRequest
from shared.domain.commands import Cancel, RunEnded
from shared.domain.records import RunRecord
from shared.errors import RedriveRefusedError
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

UNDO = "compensate: {action: http.request, with: {method: POST, url: 'https://x.com/undo/"
STEPS = f"""
    book:
      call: test.echo
      with: {{value: {{seat: "{{{{ event.data.seat }}}}"}}}}
      {UNDO}book/{{{{ book.seat }}}}/{{{{ run.id }}}}'}}}}
    plain: {{needs: book, call: test.echo, with: {{value: 7}}}}
    pay:
      needs: plain
      call: test.echo
      with: {{value: 3}}
      {UNDO}pay/{{{{ pay + plain }}}}/{{{{ book.seat }}}}'}}}}
    bad: {{needs: pay, call: test.count, with: {{name: bad}}, {UNDO}bad'}}}}}}
"""
DATA = {"seat": "12A"}


@pytest.fixture(autouse=True)
def _broken() -> None:
    calls.BROKEN.add("bad")


def undone(system: System) -> list[str]:
    """What was undone, in order, by the ends of the addresses."""
    actions = [action for _, action in system.effects.performed]
    urls = [str(action.url) for action in actions if isinstance(action, HttpRequest)]
    return [url.removeprefix("https://x.com/undo/") for url in urls]


def runs(system: System) -> dict[str, RunRecord]:
    return {run.run_id: run for run in system.stored("runs", RunRecord)}


def main_run(system: System) -> RunRecord:
    [run] = [run for run in runs(system).values() if run.undoes is None]
    return run


def undo_run(system: System) -> RunRecord:
    [run] = [run for run in runs(system).values() if run.undoes is not None]
    return run


async def failed(steps: str = STEPS, more: str = "", data: Any = DATA, **about: Any) -> System:
    system = System([flow(steps, more=more)], **about)
    await system.start(data)
    return system


async def tick(system: System) -> None:
    system.world.clock.advance(timedelta(seconds=GRACE))
    await system.send("sweep", b"", {})
    await system.run()


def whole(system: System) -> list[str]:
    return ["pay/10/12A", f"book/12A/{main_run(system).run_id}"]


async def test_what_has_succeeded_is_undone_in_reverse_order():
    system = await failed()
    assert undone(system) == whole(system)
    run, undo = main_run(system), undo_run(system)
    assert (run.status, undo.status) == ("failed", "succeeded")
    assert (undo.run_id, undo.undoes) == (f"{run.run_id}-undo", run.run_id)
    assert undo.correlation_id == run.correlation_id
    assert list((await system.report(undo.run_id))["steps"]) == ["undo_pay", "undo_book"]
    assert [letter.step for letter in system.letters()] == ["bad"]
    assert (await system.report(run.run_id))["undone_by"] == undo.run_id
    assert (await system.report(undo.run_id))["undoes"] == run.run_id
    await tick(system)
    assert len(runs(system)) == 2


async def test_a_run_that_succeeds_is_not_undone():
    calls.BROKEN.clear()
    system = await failed()
    await tick(system)
    assert (undone(system), len(runs(system))) == ([], 1)
    assert not main_run(system).unheard
    assert system.pipeline.deliveries["route"] == 1


async def test_a_run_that_has_done_nothing_is_not_undone():
    system = await failed(f"bad: {{call: test.count, with: {{name: bad}}, {UNDO}bad'}}}}}}")
    assert len(runs(system)) == 1
    assert not main_run(system).unheard


async def test_a_run_that_is_cancelled_is_undone():
    system = System([flow(STEPS)])
    await system.publish(EVENT, DATA)
    for stage in ("route", "act", "act", "act"):
        await system.pipeline.step(stage)
    await system.publish(Cancel.type, {"run": main_run(system).run_id})
    await system.pipeline.step("route")
    await system.run()
    await tick(system)
    assert main_run(system).status == "cancelled"
    assert undone(system) == whole(system)


async def test_a_run_that_times_out_is_undone():
    system = System([flow(STEPS, more="timeout: 1m")])
    await system.publish(EVENT, DATA)
    for stage in ("route", "act", "act", "act"):
        await system.pipeline.step(stage)
    system.world.clock.advance(timedelta(minutes=1))
    await tick(system)
    assert undone(system) == whole(system)
    assert undo_run(system).status == "succeeded"


MAPPED = f"""
    each:
      foreach: "event.data.list"
      call: test.count
      with: {{name: "{{{{ item }}}}", value: "{{{{ item | upper }}}}"}}
      {UNDO}{{{{ index }}}}/{{{{ item }}}}/{{{{ each }}}}'}}}}
    bad: {{needs: each, call: test.count, with: {{name: bad}}}}
"""


async def test_the_items_of_a_mapped_step_are_undone():
    system = await failed(MAPPED, data={"list": ["a", "b", "c"]})
    assert sorted(undone(system)) == ["0/a/A", "1/b/B", "2/c/C"]
    assert undo_run(system).status == "succeeded"


async def test_only_items_that_have_succeeded_are_undone():
    steps = MAPPED.replace('"event.data.list"', "{in: event.data.list, tolerate: 1}")
    system = await failed(steps, data={"list": ["a", "bad", "c"]})
    assert sorted(undone(system)) == ["0/a/A", "2/c/C"]
    assert undo_run(system).status == "succeeded"


async def test_items_are_undone_where_their_map_has_failed():
    steps = MAPPED.replace('"event.data.list"', "{in: event.data.list, max_parallel: 1}")
    system = await failed(steps, data={"list": ["a", "b", "bad", "c"]})
    assert sorted(undone(system)) == ["0/a/A", "1/b/B"]
    assert undo_run(system).status == "succeeded"


async def test_a_large_output_and_a_large_item_are_read_from_the_run_that_is_undone():
    steps = f"""
        each:
          foreach: "[event.data.letter * 300000]"
          call: test.echo
          with: {{value: "{{{{ item }}}}"}}
          {UNDO}{{{{ item | length }}}}/{{{{ each | length }}}}/{{{{ text | length }}}}'}}}}
        text:
          call: test.text
          with: {{size: 400000}}
          {UNDO}{{{{ text | length }}}}'}}}}
        bad: {{needs: [each, text], call: test.count, with: {{name: bad}}}}
    """
    system = await failed(steps, data={"letter": "y"})
    assert sorted(undone(system)) == ["300000/300000/400000", "400000"]


async def test_a_prompt_undoes_a_step_with_the_version_it_was_pinned_to():
    steps = """
        a:
          call: test.echo
          with: {value: order 7}
          compensate: {prompt: say, with: {text: "undo {{ a }}"}}
        bad: {needs: a, call: test.count, with: {name: bad}}
    """
    system = await failed(steps)
    assert system.asked() == ["undo_a: undo order 7"]


async def test_what_a_value_stands_in_for_has_not_happened():
    steps = f"""
        a: {{call: test.fail, fallback: {{value: 1}}, {UNDO}a'}}}}}}
        b: {{call: test.fail, fallback: {{step: c}}, {UNDO}b'}}}}}}
        c: {{call: test.echo, with: {{value: 5}}, {UNDO}c/{{{{ b }}}}/{{{{ a }}}}'}}}}}}
        bad: {{needs: [a, b], call: test.count, with: {{name: bad}}}}
    """
    system = await failed(steps)
    assert undone(system) == ["c/5/1"]


async def test_an_undoing_that_fails_is_a_dead_letter_and_goes_on_when_redriven():
    steps = """
        a: {call: test.echo, compensate: {call: test.count, with: {name: undo a}}}
        b: {needs: a, call: test.echo, compensate: {call: test.count, with: {name: undo b}}}
        bad: {needs: b, call: test.count, with: {name: bad}}
    """
    calls.BROKEN.add("undo b")
    system = await failed(steps)
    assert undo_run(system).status == "failed"
    assert calls.SEEN["undo a"] == 0
    calls.BROKEN.discard("undo b")
    [letter] = [one for one in system.letters() if one.step == "undo_b"]
    await system.redrive(letter.letter_id)
    assert undo_run(system).status == "succeeded"
    assert (calls.SEEN["undo a"], calls.SEEN["undo b"]) == (1, 2)


async def test_an_undoing_may_go_on_without_one_that_fails():
    steps = """
        a: {call: test.echo, compensate: {call: test.count, with: {name: undo a}}}
        b:
          needs: a
          call: test.echo
          compensate: {call: test.fail, on_error: continue, retry: {attempts: 2}}
        bad: {needs: b, call: test.count, with: {name: bad}}
    """
    system = await failed(steps)
    assert undo_run(system).status == "succeeded"
    assert calls.SEEN["undo a"] == 1


async def test_a_run_that_was_undone_cannot_be_redriven():
    system = await failed()
    run = main_run(system)
    for name in (run.run_id, system.letter().letter_id):
        with pytest.raises(RedriveRefusedError, match=f"undone by run {run.run_id}-undo"):
            await system.redrive(name)


async def test_a_run_that_is_redriven_before_it_is_undone_is_not_undone():
    system = System([flow(STEPS)])
    await system.publish(EVENT, DATA)
    await system.pipeline.step("route")
    for _ in range(4):
        await system.pipeline.step("act")
    await system.pipeline.step("bury")
    assert main_run(system).status == "failed"
    calls.BROKEN.clear()
    await redrive(system.letter().letter_id, system.pipeline.deps())
    await system.run()
    assert (main_run(system).status, undone(system)) == ("succeeded", [])


async def test_what_is_under_way_is_waited_for_and_undone_too():
    steps = f"""
        slow: {{prompt: say, with: {{text: hi}}, {UNDO}slow'}}}}}}
        bad: {{call: test.count, with: {{name: bad}}}}
    """
    system = System([flow(steps)])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.pipeline.step("compose")
    await system.killed_at("worked", "slow")
    await system.pipeline.step("act")
    await system.pipeline.step("route")
    assert len(runs(system)) == 1  # its claim stands
    await system.run()
    await tick(system)
    assert len(runs(system)) == 1  # what was cut down has not succeeded
    system.world.clock.advance(timedelta(hours=1))
    await tick(system)
    assert not main_run(system).unheard


@pytest.mark.parametrize("point", POINTS)
async def test_nothing_begins_that_would_have_to_be_undone_too(point: Point):
    """A model that was asked after the end would have its answer kept, and not undone."""
    steps = f"""
        slow: {{prompt: say, with: {{text: hi}}, {UNDO}slow'}}}}}}
        bad: {{call: test.count, with: {{name: bad}}}}
    """
    system = System([flow(steps)])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.pipeline.step("compose")
    await system.killed_at(point, "bad")
    await system.pipeline.step("act")
    while main_run(system).status == "running" and await system.pipeline.step("act"):
        pass
    await system.run()
    await tick(system)
    slow = (await system.report(main_run(system).run_id))["steps"]["slow"]
    assert (slow["status"] == "succeeded") == (undone(system) == ["slow"])


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("step", ["pay", "bad", "undo_pay", "undo_book", None])
async def test_each_is_undone_once_wherever_an_instance_dies(point: Point, step: str | None):
    system = System([flow(STEPS)])
    await system.publish(EVENT, DATA)
    killed = False
    while waiting := system.pipeline.collect():
        [one, *_] = waiting
        attributes = one.message.attributes
        is_it = attributes.get("segue-step") == step and one.stage != "bury"
        is_it = is_it and (step is not None or attributes.get("ce-type") == RunEnded.type)
        system.pipeline.take(one)
        if is_it and not killed:
            killed = True
            await system.killed_on(one, point)
        else:
            system.world.clock.advance(60)
            await system.pipeline.deliver(one)
    await tick(system)
    assert killed
    keys = [key for key, _ in system.effects.performed]
    assert len(set(keys)) == 2
    assert list(dict.fromkeys(undone(system))) == whole(system)
    assert undo_run(system).status == "succeeded"
    cut_in_mid_effect = {"undo_pay", "undo_book"} if point == "worked" else set()
    assert len(keys) == 2 + (step in cut_in_mid_effect)


async def test_an_end_that_is_told_often_is_undone_once():
    system = await failed()
    for _ in range(3):
        await system.publish(RunEnded.type, {"run": main_run(system).run_id})
    await system.run()
    assert undone(system) == whole(system)


async def test_the_first_step_of_an_undoing_is_sent_again_by_the_message_that_opened_it():
    system = System([flow(STEPS)])
    await system.publish(EVENT, DATA)
    await system.pipeline.step("route")
    for _ in range(4):
        await system.pipeline.step("act")
    [told] = [one for one in system.pipeline.collect() if one.stage == "route"]
    await system.killed_on(system.pipeline.take(told), "committed")
    assert undo_run(system).status == "running"
    await system.run()
    assert undo_run(system).status == "succeeded"
