"""A failure that the flow provides for: the run goes on, and nobody has to see to a dead letter."""

from __future__ import annotations

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.errors import ModelRefusedError
from shared.testing.memory import ScriptedModel
from tests.functional import calls
from tests.functional.system import EVENT, System, flow, prompt

SORRY = flow(
    """
    bad: {call: test.count, with: {name: bad, value: 1}, on_error: {goto: sorry}}
    good: {needs: bad, call: test.count, with: {name: good, value: "{{ bad }}"}}
    sorry: {call: test.count, with: {name: sorry, value: 2}}
    end: {needs: [good, sorry], call: test.echo, with: {value: "{{ good | default(sorry) }}"}}
    """,
    more="outputs: {end: '{{ end }}', bad: '{{ bad }}'}",
)
WITHOUT = flow(
    """
    bad: {call: test.count, with: {name: bad}, on_error: continue}
    alone: {needs: bad, call: test.count, with: {name: alone}}
    good: {call: test.echo, with: {value: 3}}
    both: {needs: [bad, good], call: test.echo, with: {value: "{{ good }}"}}
    """,
    more="outputs: {both: '{{ both }}', alone: '{{ alone }}'}",
)


@pytest.fixture(autouse=True)
def _broken() -> None:
    calls.BROKEN.add("bad")


async def failed_on(version, **about) -> System:
    system = System([version], **about)
    await system.start()
    assert (await system.report())["status"] == "succeeded"
    assert system.letters() == []
    assert system.pipeline.parked == []
    return system


async def test_a_failure_goes_to_the_step_that_is_named():
    system = await failed_on(SORRY)
    assert await system.statuses() == {
        "bad": "failed",
        "good": "skipped",
        "sorry": "succeeded",
        "end": "succeeded",
    }
    report = await system.report()
    assert report["outputs"] == {"end": 2, "bad": None}
    assert report["error"] is None
    assert report["steps"]["bad"]["error"]["code"] == "ActionFailed"
    assert report["steps"]["bad"]["handled"] is True
    assert "handled" not in report["steps"]["good"]


async def test_the_step_that_is_named_is_skipped_where_nothing_fails():
    calls.BROKEN.clear()
    system = await failed_on(SORRY)
    assert (await system.statuses())["sorry"] == "skipped"
    assert (await system.report())["outputs"] == {"end": 1, "bad": 1}


@pytest.mark.parametrize("seed", range(4))
async def test_a_run_goes_on_without_the_step(seed: int):
    system = await failed_on(WITHOUT, seed=seed)
    assert await system.statuses() == {
        "bad": "failed",
        "alone": "skipped",
        "good": "succeeded",
        "both": "succeeded",
    }
    assert (await system.report())["outputs"] == {"both": 3, "alone": None}


async def test_the_attempts_line_tells_the_failure_as_one_that_needs_nobody():
    system = await failed_on(WITHOUT)
    [told] = [one for one in system.world.telemetry.reports if one.error]
    assert (told.disposition, told.outcome) == ("ack", "survived")
    assert told.error.code == "ActionFailed"


async def test_the_failure_and_what_follows_is_one_commit():
    system = System([SORRY])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    system.world.documents.reset_counts()
    await system.pipeline.step("act")
    assert system.world.documents.commits == 2  # claim and result
    writes = {path.split("/", 2)[2] for path in system.world.documents.writes}
    assert writes == {"steps/bad", "steps/good", "joins/end"}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("version", [SORRY, WITHOUT], ids=["goto", "continue"])
async def test_a_crash_at_any_point_of_a_failure_repeats_nothing(version, point: Point):
    system = System([version])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at(point, "bad")
    await system.run()
    report = await system.report()
    assert report["status"] == "succeeded"
    assert report["steps"]["bad"]["status"] == "failed"
    assert calls.SEEN["bad"] == (2 if point == "worked" else 1)
    assert system.letters() == []
    counted = {name: join["arrived"] for name, join in (await system.joins()).items()}
    assert set(counted.values()) == {2}


async def test_the_last_step_may_fail_and_its_run_succeed():
    version = flow(
        """
        a: {call: test.echo, with: {value: 5}}
        bad: {needs: a, call: test.count, with: {name: bad}, on_error: continue}
        """,
        more="outputs: {a: '{{ a }}'}",
    )
    system = await failed_on(version)
    assert (await system.report())["outputs"] == {"a": 5}


async def test_a_model_that_refuses_can_be_provided_for():
    version = flow(
        """
        ask: {prompt: say, with: {text: hi}, on_error: {goto: plain}}
        plain: {call: test.echo, with: {value: by hand}}
        """,
        more="outputs: {plain: '{{ plain }}'}",
    )
    system = await failed_on(version, model=ScriptedModel(default=ModelRefusedError("no")))
    assert (await system.report())["outputs"] == {"plain": "by hand"}


OUTSIDE = {
    "a prompt that cannot be rendered": """
        x: {call: test.echo, with: {value: null}}
        bad: {needs: x, prompt: strict, with: {text: "{{ x.y }}"}, on_error: {goto: plain}}
        plain: {call: test.echo, with: {value: plain}}
        """,
    "a condition that fails": """
        x: {call: test.echo, with: {value: null}}
        bad: {needs: x, when: x.y > 1, call: test.echo, on_error: {goto: plain}}
        plain: {call: test.echo, with: {value: plain}}
        """,
    "a first condition that fails": """
        bad: {when: event.data.y > 1, call: test.echo, on_error: {goto: plain}}
        plain: {call: test.echo, with: {value: plain}}
        """,
    "a message that is given up": """
        bad: {call: test.busy, on_error: {goto: plain}}
        plain: {call: test.echo, with: {value: plain}}
        """,
}


@pytest.mark.parametrize("steps", OUTSIDE.values(), ids=OUTSIDE)
async def test_a_failure_that_happens_where_nobody_holds_the_step_is_provided_for_too(steps: str):
    version = flow(steps, prompt("strict", "{{ text }}"), more="outputs: {p: '{{ plain }}'}")
    system = await failed_on(version)
    report = await system.report()
    assert report["outputs"] == {"p": "plain"}
    assert report["steps"]["bad"]["status"] == "failed"
    assert report["steps"]["bad"]["handled"] is True
    assert [one.outcome for one in system.world.telemetry.reports if one.stage == "bury"] == [
        "survived"
    ]


@pytest.mark.parametrize("point", ["committed", "emitted"])
async def test_a_crash_while_a_given_up_step_is_failed_repeats_nothing(point: Point):
    system = System([flow(OUTSIDE["a first condition that fails"])])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at(point, "bad")
    await system.run()
    report = await system.report()
    assert report["status"] == "succeeded"
    assert await system.statuses() == {"bad": "failed", "plain": "succeeded"}
    assert system.letters() == []


async def test_a_step_without_provision_still_leaves_its_letter():
    system = System([flow("bad: {call: test.count, with: {name: bad}}")])
    await system.start()
    assert (await system.report())["status"] == "failed"
    assert system.letter().step == "bad"


async def test_a_redrive_leaves_failures_alone_that_were_provided_for():
    calls.BROKEN.add("worse")
    version = flow(
        """
        bad: {call: test.count, with: {name: bad}, on_error: continue}
        worse: {call: test.count, with: {name: worse, value: 1}}
        end: {needs: [bad, worse], call: test.echo, with: {value: "{{ worse }}"}}
        """,
        more="outputs: {end: '{{ end }}'}",
    )
    system = System([version])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at("emitted", "bad")  # it fails first
    await system.run()
    assert (await system.report())["status"] == "failed"
    calls.BROKEN.clear()
    await system.redrive()
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"end": 1})
    assert report["steps"]["bad"]["status"] == "failed"
    assert (calls.SEEN["bad"], calls.SEEN["worse"]) == (1, 2)


async def test_a_run_whose_outputs_failed_ends_when_redriven_to_a_version_that_mends_them():
    steps = """
        a: {call: test.echo, with: {value: 1}}
        bad: {call: test.count, with: {name: bad}, on_error: continue}
        """
    system = System([flow(steps, more="outputs: {a: '{{ a.b.c }}'}")])
    await system.start()
    [run_id] = system.run_ids()
    assert (await system.report())["status"] == "failed"
    system.deploy(flow(steps, more="outputs: {a: '{{ a }}'}"))
    await system.redrive(run_id, repin=True)
    assert (await system.report())["outputs"] == {"a": 1}


async def test_a_run_is_not_moved_to_a_version_that_goes_elsewhere_on_error():
    first = """
        worse: {call: test.count, with: {name: bad}}
        a: {call: test.echo, on_error: {goto: b}}
        b: {call: test.echo}
        """
    system = System([flow(first)])
    await system.start()
    system.deploy(flow(first.replace("{goto: b}", "continue")))
    with pytest.raises(Exception, match="has other steps or needs"):
        await system.redrive(repin=True)
