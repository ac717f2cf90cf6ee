"""A run stays on the flow and prompts it was opened with, whatever is deployed meanwhile."""

from __future__ import annotations

from dataclasses import replace

from shared.domain.records import RunRecord
from shared.prompting.source import Problem
from tests.functional.system import EVENT, System, flow, prompt


def version(word: str, steps: str = "", extra: str = ""):
    said = prompt("said", f"{word} {{{{ text }}}}")
    declared = (
        steps
        or """
        a: {prompt: said, with: {text: one}}
        b: {needs: a, prompt: said, with: {text: two}}
    """
    )
    return flow(declared + extra, said, more="outputs: {b: '{{ b.text }}'}")


OLD, NEW = version("Old"), version("New")


async def test_a_run_in_flight_keeps_its_prompts_and_new_events_get_the_new_ones():
    system = System([OLD])
    await system.publish(EVENT, ce_id="e1")
    await system.pipeline.step("route")
    system.deploy(NEW)
    await system.publish(EVENT, ce_id="e2")
    await system.run()
    runs = {run.event_id: run for run in system.stored("runs", RunRecord)}
    assert runs["e1"].outputs == {"b": "b(Old two)"}
    assert runs["e2"].outputs == {"b": "b(New two)"}
    assert runs["e1"].flow_version == OLD.version
    assert runs["e2"].flow_version == NEW.version
    assert sorted(system.asked()) == ["a: New one", "a: Old one", "b: New two", "b: Old two"]


async def test_a_run_outlives_its_flow_being_removed():
    system = System([OLD])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    system.deploy()
    await system.run()
    assert (await system.report())["outputs"] == {"b": "b(Old two)"}
    await system.start()
    assert len(system.run_ids()) == 1


async def test_a_run_keeps_its_graph_when_steps_are_added():
    system = System([OLD])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    system.deploy(version("New", extra="    c: {needs: b, prompt: said, with: {text: three}}\n"))
    await system.run()
    report = await system.report()
    assert (report["status"], list(report["steps"])) == ("succeeded", ["a", "b"])


async def test_steps_record_the_version_of_their_prompt():
    system = System([OLD])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    system.deploy(NEW)
    await system.run()
    steps = (await system.report())["steps"]
    assert {step["prompt"]["version"] for step in steps.values()} == {OLD.prompt("a").version}


async def test_a_version_is_stored_once_before_its_first_run():
    system = System([OLD])
    for _ in range(5):
        await system.publish(EVENT)
    await system.run()
    assert system.world.documents.writes[f"flows/{OLD.version}"] == 1
    assert len(system.run_ids()) == 5


async def test_a_redelivered_event_opens_no_second_run_on_the_new_version():
    system = System([OLD])
    await system.start(ce_id="e1")
    system.deploy(NEW)
    await system.start(ce_id="e1")
    assert (await system.report())["outputs"] == {"b": "b(Old two)"}


async def test_a_flow_that_cannot_be_read_is_told_of_and_the_others_run():
    system = System([OLD])
    problem = Problem("flows/bad.yaml", 3, "step 'a' needs 'b', which is not a step")
    system.world.library = replace(system.world.library, problems=(problem,))
    await system.start()
    assert (await system.report())["status"] == "succeeded"
    told = [message for severity, message, _ in system.world.telemetry.lines if severity == "ERROR"]
    assert told == [f"left out: {problem}"]
