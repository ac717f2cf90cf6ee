"""Maps whose items fail, crash, or are continued by a redrive: nothing is lost or done twice."""

from __future__ import annotations

from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.domain.records import StepRecord
from shared.errors import ModelRefusedError
from shared.testing.memory import ScriptedModel
from tests.functional import calls
from tests.functional.system import EVENT, System, flow
from tests.functional.test_maps import FAILING, STRICT, mapped, sent, started

# -- what may fail ------------------------------------------------------------------------------


async def test_items_that_fail_are_tolerated_up_to_a_number():
    calls.BROKEN.update({"i3", "i5"})
    system = await started(FAILING, list(range(8)))
    report = await system.report()
    assert (report["status"], system.letters()) == ("succeeded", [])
    assert report["outputs"] == {"each": [0, 1, 2, None, 4, None, 6, 7]}
    each = report["steps"]["each"]
    assert each["summary"] == {"size": 8, "succeeded": 6, "failed": 2}
    assert [(one["index"], one["code"]) for one in each["errors"]] == [
        (3, "ActionFailed"),
        (5, "ActionFailed"),
    ]


@pytest.mark.parametrize("seed", range(4))
async def test_one_item_too_many_fails_the_run(seed: int):
    calls.BROKEN.update({"i1", "i2", "i3", "i4"})
    system = await started(FAILING, list(range(40)), seed=seed)
    report = await system.report()
    assert report["status"] == "failed"
    assert report["error"]["code"] == "ActionFailed"
    assert report["error"]["step"].startswith("each[")
    assert report["steps"]["each"]["status"] == "failed"
    assert {letter.error.code for letter in system.letters()} == {"ActionFailed"}
    assert len(sent(system)) < 40  # those not yet sent are not started


@pytest.mark.parametrize(
    ("tolerate", "broken", "status"),
    [("20%", 2, "succeeded"), ("20%", 3, "failed"), ("0%", 1, "failed"), ("100%", 10, "succeeded")],
)
async def test_a_share_of_the_items_may_fail(tolerate: str, broken: int, status: str):
    version = flow(
        f"""
        each:
          foreach: {{in: range(10), tolerate: "{tolerate}"}}
          call: test.count
          with: {{name: "i{{{{ item }}}}"}}
        """
    )
    calls.BROKEN.update(f"i{n}" for n in range(broken))
    system = await started(version, None)
    assert (await system.report())["status"] == status


async def test_a_map_that_fails_can_be_provided_for():
    version = flow(
        """
        each: {foreach: range(5), call: test.fail, on_error: {goto: sorry}}
        lost: {needs: each, call: test.echo}
        sorry: {call: test.echo, with: {value: sorry}}
        """,
        more="outputs: {sorry: '{{ sorry }}', each: '{{ each }}'}",
    )
    for seed in range(4):
        system = await started(version, None, seed=seed)
        report = await system.report()
        assert (report["status"], system.letters()) == ("succeeded", [])
        assert report["outputs"] == {"sorry": "sorry", "each": None}
        assert report["steps"]["each"]["handled"] is True


async def test_a_model_that_refuses_one_item_fails_that_item_alone():
    version = flow(
        "each: {foreach: {in: event.data, tolerate: 1}, prompt: say, with: {text: '{{ item }}'}}"
    )

    def answer(request: Any) -> Any:
        text = request.messages[0][1]
        return ModelRefusedError("no") if text == "bad" else f"said {text}"

    system = await started(version, ["a", "bad", "c"], model=ScriptedModel(default=answer))
    output = (await system.report())["steps"]["each"]["output"]
    assert output == [{"text": "said a"}, None, {"text": "said c"}]


async def test_items_that_cannot_be_rendered_or_are_given_up_fail_like_others():
    version = flow(
        """
        ask:
          foreach: {in: event.data, tolerate: 1, max_parallel: 1}
          prompt: say
          with: {text: "{{ item.text }}"}
        act:
          foreach: {in: event.data, tolerate: 1}
          call: test.maybe_busy
          with: {busy: "{{ item.busy | default(false) }}"}
        """
    )
    data = [{"text": "a"}, {"busy": True}, {"text": "c"}]
    system = await started(version, data)
    report = await system.report()
    assert (report["status"], system.letters()) == ("succeeded", [])
    assert [out is None for out in report["steps"]["ask"]["output"]] == [False, True, False]
    assert report["steps"]["act"]["output"] == ["done", None, "done"]
    codes = {report["steps"][name]["errors"][0]["code"] for name in ("ask", "act")}
    assert codes == {"Expression", "DeliveriesExhausted"}


@pytest.mark.parametrize(
    ("foreach", "data", "code", "told"),
    [
        ("event.data", {"a": 1}, "MapInvalid", "`event.data` is a dict"),
        ("event.data", "text", "MapInvalid", "`event.data` is a str"),
        ("event.data", None, "MapInvalid", "`event.data` is a NoneType"),
        ("range(event.data)", 10_001, "MapInvalid", "`range(event.data)` has 10,001 items"),
        ("event.data.x.y", {}, "Expression", "`event.data.x.y` failed"),
        ("'[1, joiner]'", None, "MapInvalid", "is no JSON"),
        ("event.data * 10", ["x" * 100_000], "OutputTooLarge", "the list of step 'each': 1,000,"),
    ],
)
async def test_what_is_no_list_of_items_fails_the_step_with_a_clear_error(
    foreach: str, data: Any, code: str, told: str
):
    system = await started(mapped(foreach, value="{{ item }}"), data)
    report = await system.report()
    assert report["status"] == "failed"
    assert report["error"]["code"] == report["steps"]["each"]["error"]["code"] == code
    assert "step 'each', `foreach`" in report["error"]["message"]
    assert told in report["error"]["message"]
    assert system.letter().step == "each"


async def test_a_list_that_cannot_be_made_is_provided_for_too():
    version = flow(
        """
        each: {foreach: event.data.x.y, call: test.echo, on_error: continue}
        other: {call: test.echo, with: {value: 1}}
        """
    )
    system = await started(version, {})
    assert await system.statuses() == {"each": "failed", "other": "succeeded"}
    assert (await system.report())["status"] == "succeeded"


async def test_outputs_that_are_too_large_together_fail_the_map():
    version = flow("each: {foreach: range(3), call: test.text, with: {size: 400000}}")
    system = await started(version, None)
    report = await system.report()
    assert report["status"] == "failed"
    assert report["error"]["code"] == "OutputTooLarge"
    assert "the outputs of step 'each' together" in report["error"]["message"]
    assert len(system.letters()) == 1


async def test_items_of_a_run_that_has_failed_are_not_sent():
    version = flow(
        """
        each: {foreach: {in: range(50), max_parallel: 1}, prompt: say, with: {text: "{{ item }}"}}
        bad: {call: test.fail}
        """
    )
    system = await started(version, None)
    assert (await system.report())["status"] == "failed"
    assert len(sent(system)) < 50


# -- crashes, duplicates, redrives --------------------------------------------------------------


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("item", [0, 2, 3])
async def test_a_crash_at_any_point_of_an_item_repeats_nothing(point: Point, item: int):
    system = System([STRICT])
    await system.publish(EVENT, [0, 1, 2, 3])
    await system.pipeline.step("route")
    while not any(
        one.message.attributes.get("segue-step") == f"each[{item}]"
        for one in system.pipeline.collect()
    ):
        await system.pipeline.step("act")
    await system.killed_at(point, f"each[{item}]")
    await system.run()
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"sum": 6})
    assert calls.SEEN[f"i{item}"] == (2 if point == "worked" else 1)
    assert report["steps"]["after"]["attempts"] == 1


@pytest.mark.parametrize("size", [0, 3])
@pytest.mark.parametrize("point", ["committed", "emitted"])
async def test_a_crash_while_a_map_begins_begins_it_again(point: Point, size: int):
    version = flow(
        """
        first: {call: test.echo, with: {value: 1}}
        each: {needs: first, foreach: event.data, call: test.echo, with: {value: "{{ item }}"}}
        after: {needs: each, call: test.echo, with: {value: "{{ each | sum }}"}}
        """,
        more="outputs: {sum: '{{ after }}'}",
    )
    system = System([version])
    await system.publish(EVENT, list(range(size)))
    await system.pipeline.step("route")
    await system.killed_at(point, "first")
    await system.run()
    assert (await system.report())["outputs"] == {"sum": sum(range(size))}


@pytest.mark.parametrize("seed", range(6))
async def test_a_redrive_continues_with_what_failed_and_what_is_left(seed: int):
    calls.BROKEN.update({"i3"})
    system = await started(STRICT, list(range(12)), seed=seed)
    assert (await system.report())["status"] == "failed"
    before = calls.SEEN.copy()
    assert 0 < before.total() < 12
    calls.BROKEN.clear()
    [run_id] = system.run_ids()
    await system.redrive(run_id)
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"sum": sum(range(12))})
    assert calls.SEEN["i3"] == 2
    assert all(calls.SEEN[f"i{n}"] == 1 for n in range(12) if n != 3)
    assert {letter.status for letter in system.letters()} == {"redriven"}


async def test_a_redrive_that_fails_again_can_be_redriven_again():
    calls.BROKEN.update({"i3", "i7"})
    system = await started(STRICT, list(range(12)))
    calls.BROKEN.discard("i3")
    [run_id] = system.run_ids()
    await system.redrive(run_id)
    assert (await system.report())["status"] == "failed"
    calls.BROKEN.clear()
    await system.redrive(run_id)
    assert (await system.report())["outputs"] == {"sum": sum(range(12))}
    assert (calls.SEEN["i3"], calls.SEEN["i7"]) == (2, 2)


async def test_a_run_that_failed_beside_a_map_goes_on_with_the_rest_of_it():
    calls.BROKEN.add("bad")
    version = flow(
        """
        each:
          foreach: {in: range(20), max_parallel: 2, tolerate: 1}
          call: test.count
          with: {name: "i{{ item }}", value: "{{ item }}"}
        bad: {call: test.count, with: {name: bad}}
        """,
        more="outputs: {each: '{{ each }}'}",
    )
    calls.BROKEN.add("i0")
    system = System([version])
    await system.publish(EVENT, None)
    await system.pipeline.step("route")
    await system.killed_at("emitted", "each[0]")
    await system.run()
    assert (await system.report())["status"] == "failed"
    calls.BROKEN.discard("bad")
    await system.redrive()
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"each": [None, *range(1, 20)]})
    assert calls.SEEN["i0"] == 1  # it had been tolerated
    assert max(calls.SEEN[f"i{n}"] for n in range(20)) == 1


async def test_a_list_that_could_not_be_made_is_made_when_redriven():
    system = await started(mapped("event.data.x.y"), {"items": [1, 2]})
    system.deploy(mapped("event.data.items"))
    await system.redrive(repin=True)
    assert (await system.report())["outputs"] == {"each": [10, 20], "total": 2}


async def test_a_redrive_whose_items_are_all_done_collects_them():
    version = flow("each: {foreach: range(3), call: test.text, with: {size: 400000}}")
    system = await started(version, None)
    [run_id] = system.run_ids()
    records = {record.step: record for record in system.stored(f"runs/{run_id}/steps", StepRecord)}
    assert records["each[2]"].item_of == "each"
    await system.redrive()
    report = await system.report()
    assert report["error"]["code"] == "OutputTooLarge"  # they are as large as they were
    assert {report["steps"]["each"]["items"][n]["attempts"] for n in range(3)} == {1}
