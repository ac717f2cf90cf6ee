"""Redrives that need a changed flow or schema: what moves to today's version, and what may not."""

from __future__ import annotations

import pytest

from shared.domain.version import FlowVersion
from shared.errors import RedriveRefusedError, VersionMissingError
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

WANTS_N = "input: {required: [n], properties: {n: {type: integer}}}"


def version(last: str, *, first: str = "1", more: str = "") -> FlowVersion:
    """Two steps in a row; `last` declares the second one."""
    steps = f"a: {{call: test.count, with: {{name: a, value: {first}}}}}\nb: {{needs: a, {last}}}"
    return flow(steps, more=more or "outputs: {b: '{{ b }}'}")


BAD = version("call: test.count, with: {name: b, value: '{{ a.missing }}'}")


async def failed(found: FlowVersion = BAD) -> System:
    system = System([found])
    await system.start(ce_id="e1")
    assert (await system.report())["status"] == "failed"
    return system


async def test_without_repin_the_run_keeps_its_version_and_fails_again():
    system = await failed()
    system.deploy(version("call: test.count, with: {name: b, value: '{{ a }}'}"))
    await system.redrive()
    report = await system.report()
    assert (report["status"], report["flow_version"]) == ("failed", BAD.version)
    assert "a.missing" in report["error"]["message"]


async def test_repin_moves_the_run_to_todays_version():
    system = await failed()
    today = version("call: test.count, with: {name: b, value: '{{ a + 1 }}'}")
    system.deploy(today)
    await system.redrive(repin=True)
    report = await system.report()
    assert (report["status"], report["flow_version"]) == ("succeeded", today.version)
    assert report["outputs"] == {"b": 2}
    assert calls.SEEN == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    "steps",
    [
        "a: {call: test.echo}",
        "a: {call: test.echo}\nb: {call: test.echo}",
        "a: {call: test.echo}\nc: {needs: a, call: test.echo}",
        "a: {call: test.echo}\nb: {needs: a, call: test.echo}\nc: {needs: b, call: test.echo}",
    ],
)
async def test_repin_refuses_a_version_of_another_shape_and_changes_nothing(steps: str):
    system = await failed()
    before = dict(system.world.documents.documents)
    system.deploy(flow(steps))
    with pytest.raises(RedriveRefusedError, match="has other steps or needs"):
        await system.redrive(repin=True)
    assert system.world.documents.documents == before
    assert system.letter().status == "open"


async def test_repin_may_change_what_the_run_has_not_reached():
    def near(value: str) -> str:
        first = f"a: {{call: test.count, with: {{name: a, value: '{value}'}}}}\n"
        return first + "b: {needs: a, call: test.count, with: {name: b, value: '{{ a }}'}}\n"

    far = "c: {needs: b, call: test.count, with: {name: c}}"
    system = await failed(flow(near("{{ event.data.no.such }}") + far))
    other = "d: {needs: b, call: test.echo, with: {value: '{{ b + 1 }}'}}"
    system.deploy(flow(near("{{ 1 }}") + other, more="outputs: {d: '{{ d }}'}"))
    await system.redrive(repin=True)
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"d": 2})
    assert calls.SEEN == {"a": 1, "b": 1}


async def test_repin_refuses_a_flow_that_is_gone():
    system = await failed()
    system.deploy(flow("a: {call: test.echo}", name="other"))
    with pytest.raises(RedriveRefusedError, match="there is no flow 'thing' today"):
        await system.redrive(repin=True)


@pytest.mark.parametrize("bad", [BAD, version("when: a.no.such, call: test.echo")])
async def test_a_step_that_today_is_skipped_is_skipped_by_the_redrive(bad: FlowVersion):
    """Whether it failed at work or at its condition, its record is there already."""
    end = "outputs: {a: '{{ a }}', b: '{{ b }}'}"
    system = await failed(bad)
    system.deploy(version("when: a > 1, call: test.echo", more=end))
    await system.redrive(repin=True)
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"a": 1, "b": None})
    assert await system.statuses() == {"a": "succeeded", "b": "skipped"}


async def test_a_skip_by_the_redrive_counts_at_the_joins_behind_it():
    shape = """
        a: {{call: test.echo, with: {{value: 1}}}}
        b: {{needs: a, when: "{when}", call: test.echo}}
        c: {{needs: b, call: test.echo}}
        d: {{call: test.count, with: {{name: d}}}}
        e: {{needs: [c, d], call: test.count, with: {{name: e, value: 5}}}}
    """
    more = "outputs: {e: '{{ e }}'}"
    system = await failed(flow(shape.format(when="a.no.such"), more=more))
    system.deploy(flow(shape.format(when="a > 1"), more=more))
    await system.redrive(repin=True)
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"e": 5})
    assert calls.SEEN == {"d": 1, "e": 1}


async def test_a_run_whose_version_is_lost_goes_on_with_repin_only():
    system = System([BAD])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    today = version("call: test.count, with: {name: b, value: '{{ a + 1 }}'}")
    system.deploy(today)
    del system.world.documents.documents[f"flows/{BAD.version}"]
    await system.run()
    assert system.letter().error.code == "VersionMissing"
    with pytest.raises(VersionMissingError, match="redrive with --repin"):
        await system.redrive()
    await system.redrive(repin=True)
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"b": 2})


@pytest.mark.parametrize("about", [{"ce_id": "e1"}, {}])
async def test_a_refused_event_runs_once_its_schema_was_fixed(about: dict[str, str]):
    strict = version("call: test.echo", more=WANTS_N)
    system = System([strict, flow("x: {call: test.count, with: {name: x}}", name="other")])
    await system.start({"m": 1}, **about)
    refused = system.letter()
    assert refused.error.code == "InputInvalid"
    system.deploy(version("call: test.echo"), system.world.library.flows["other"])
    await system.redrive()
    report = await system.report(refused.run_id)
    assert report["status"] == "succeeded"
    assert report["steps"]["a"]["attempts"] == 1
    assert len(system.run_ids()) == 2
    assert calls.SEEN == {"a": 1, "x": 1}


async def test_a_refused_event_that_still_breaks_the_schema_gives_a_new_letter():
    system = System([version("call: test.echo", more=WANTS_N)])
    await system.start({"m": 1}, ce_id="e1")
    await system.redrive()
    assert sorted((one.redrives, one.status) for one in system.letters()) == [
        (0, "redriven"),
        (1, "open"),
    ]
    assert (await system.report())["status"] == "failed"


async def test_a_redriven_event_whose_run_then_fails_gives_a_new_letter_each_time():
    system = System([version("call: test.count, with: {name: b}", more=WANTS_N)])
    await system.start({"m": 1}, ce_id="e1")
    system.deploy(version("call: test.count, with: {name: b}"))
    calls.BROKEN.add("b")
    await system.redrive()
    await system.redrive()
    await system.redrive()
    assert [one.status for one in system.letters()].count("open") == 1
    assert len(system.letters()) == 4
    calls.BROKEN.clear()
    await system.redrive()
    assert (await system.report())["status"] == "succeeded"
    assert calls.SEEN == {"a": 1, "b": 4}
