"""A flow as a tool of an agent: its run is opened once, waited for, and told of to the model."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from rich.console import Console

from shared.cli.graph.model import Note
from shared.cli.graph.reading import graph_of
from shared.cli.views import run_view
from shared.delivery.crashpoints import POINTS, Point
from shared.domain.commands import RunEnded
from shared.domain.events import HOPS
from shared.domain.starts.by_name import START
from shared.testing.memory import ScriptedModel
from tests.functional import calls
from tests.functional.agents import asks, model, script, tools
from tests.functional.family import child_of, leaf, run_of, type_of
from tests.functional.system import EVENT, System
from tests.functional.teams import (
    ASK,
    CALL,
    INPUT,
    ONCE,
    SLOW_WORKER,
    TWICE,
    WORKER,
    answers,
    boss,
    called,
    children,
)
from tests.functional.test_agents import to_the_message_of


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with tools():
        yield


# -- up -----------------------------------------------------------------------------------------


async def test_the_model_is_told_what_the_flow_takes_and_what_its_run_came_to():
    asked = model(ONCE, "It is 8.")
    system = System([boss(), WORKER], model=asked)
    await system.start({"n": 7})
    above, child = run_of(system), child_of(system, "worker")
    assert (above.status, above.outputs) == ("succeeded", {"said": "It is 8."})
    [look, tool] = asked.calls[0].tools
    assert (look.name, tool.name, tool.description) == ("look", "ask_worker", "Doubles.")
    assert tool.parameters == WORKER.flow.input
    assert answers(asked.calls[1]) == [{"n": 8}]
    assert (child.outputs, child.correlation_id) == ({"n": 8}, above.correlation_id)
    assert child.traceparent[:36] == above.traceparent[:36]
    assert (child.parent and child.parent.step) == CALL
    [turn, _] = (await system.report(above.run_id))["steps"]["help"]["turns"]
    [told] = turn["calls"]
    assert (told["child"], told["tool"]) == (child.run_id, "ask_worker")
    assert system.letters() == []


async def test_people_are_shown_the_flow_and_the_run():
    version = boss(f"[{ASK.removesuffix('}')}, approval: {{when: args.n == 9}}}}]")
    system = System([version, WORKER], model=model(ONCE, "Done."))
    await system.start({"n": 7})
    report = await system.report(run_of(system).run_id)
    console = Console(width=200, record=True, file=StringIO())
    console.print(run_view(report))
    [line] = [one for one in console.export_text().splitlines() if CALL in one]
    assert f"ask_worker run {child_of(system, 'worker').run_id}" in line
    notes = [note for node in graph_of(version).nodes for note in node.notes]
    assert Note("tools", "ask_worker (flow worker, approval when args.n == 9)") in notes


async def test_nothing_runs_while_a_call_waits_for_its_run():
    calls.BROKEN.add("leaf")
    system = System([boss(), SLOW_WORKER], model=model(ONCE, "Done."))
    await system.start({"n": 7})
    assert called(system).status == "waiting"
    assert (await system.report(run_of(system).run_id))["status"] == "waiting"


@pytest.mark.parametrize("seed", range(3))
async def test_two_workers_of_a_turn_work_side_by_side_and_join(seed: int):
    asked = model(TWICE, "Both.")
    system = System([boss(), WORKER], model=asked, seed=seed)
    await system.start({"n": 7})
    assert [run.status for run in children(system)] == ["succeeded"] * 2
    assert len(asked.calls) == 2
    assert answers(asked.calls[1]) == [{"n": 2}, {"n": 4}]


async def test_what_a_model_says_is_data_and_no_template():
    schema = "input: {type: object, properties: {n: {type: string}}}"
    worker = leaf("worker", "{call: test.echo, with: {value: '{{ event.data.n }}'}}", schema)
    asked = model(asks(("ask_worker", {"n": "{{ run.id }}"})), "Done.")
    system = System([boss(worker=worker), worker], model=asked)
    await system.start({"n": 7})
    assert answers(asked.calls[1]) == [{"n": "{{ run.id }}"}]


async def test_a_flow_as_a_tool_costs_two_writes_for_the_call_and_one_to_hear_of_it():
    system = System([boss(), WORKER], model=model(ONCE, "Done."))
    await system.start({"n": 7})
    writes = system.world.documents.writes
    above, child = run_of(system).run_id, child_of(system, "worker").run_id
    assert writes[f"runs/{above}/steps/{CALL}"] == 3  # claimed, left to its run, ended
    assert writes[f"runs/{child}"] == 3  # opened, ended, and heard of


async def test_a_persona_has_flows_of_its_own():
    hand_off = asks(("hand_off_to_clerk", {"reason": "sums"}))
    asked = ScriptedModel({"helper": script(hand_off), "other": script(None, ONCE, "It is 8.")})
    clerk = f", hand_offs: {{clerk: {{agent: other, tools: [{ASK}]}}}}"
    system = System([boss("[look]", more=clerk), WORKER], model=asked)
    await system.start({"n": 7})
    assert run_of(system).outputs == {"said": "It is 8."}
    assert answers(asked.calls[2], 2) == [{"n": 8}]


# -- what goes wrong ----------------------------------------------------------------------------


async def test_a_run_that_fails_is_told_to_the_model():
    calls.BROKEN.add("leaf")
    asked = model(ONCE, "It cannot be done.")
    system = System([boss(), WORKER], model=asked)
    await system.start({"n": 7})
    [told] = answers(asked.calls[1])
    assert told["error"]["code"] == "ChildFailed"
    assert "ActionFailed: test.count" in told["error"]["message"]
    assert run_of(system).outputs == {"said": "It cannot be done."}
    assert [letter.flow for letter in system.letters()] == ["worker"]


async def test_arguments_that_the_flow_does_not_take_open_no_run():
    asked = model(asks(("ask_worker", {"n": "four"})), "Sorry.")
    system = System([boss(), WORKER], model=asked)
    await system.start({"n": 7})
    [told] = answers(asked.calls[1])
    assert told["error"]["code"] == "ToolArguments"
    assert "at $.n: must be of type integer" in told["error"]["message"]
    assert (children(system), system.letters()) == ([], [])


async def test_a_flow_that_is_not_deployed_is_told_to_the_model():
    asked = model(ONCE, "Sorry.")
    system = System([boss()], model=asked)
    await system.start({"n": 7})
    assert answers(asked.calls[1])[0]["error"]["code"] == "ChildMissing"
    assert (run_of(system).status, system.letters()) == ("succeeded", [])


async def test_runs_do_not_nest_without_end():
    asked = model(ONCE, "Sorry.")
    system = System([boss(), WORKER], model=asked)
    await system.start({"n": 7}, **{HOPS: "25"})
    assert answers(asked.calls[1])[0]["error"]["code"] == "ChildNested"
    assert children(system) == []


async def test_outputs_that_do_not_fit_beside_the_question_are_told_as_an_error():
    worker = leaf("worker", "{call: test.text, with: {size: 900000}}", INPUT)
    asked = model(asks(("ask_worker", {"n": 1, "why": "x" * 30_000})), "Too long.")
    system = System([boss(worker=worker), worker], model=asked)
    await system.start({"n": 7})
    assert answers(asked.calls[1])[0]["error"]["code"] == "OutputTooLarge"
    assert run_of(system).outputs == {"said": "Too long."}


async def test_a_question_that_is_asked_too_often_opens_no_more_runs():
    limits = ", limits: {repeats: 1}"
    asked = model(ONCE, ONCE, "Enough.")
    system = System([boss(more=limits), WORKER], model=asked)
    await system.start({"n": 7})
    assert answers(asked.calls[2], 2)[0]["error"]["code"] == "ToolRepeated"
    assert len(children(system)) == 1


# -- crashes and repetitions --------------------------------------------------------------------


def require_once(system: System, asked: ScriptedModel) -> None:
    assert (run_of(system).status, run_of(system).outputs) == ("succeeded", {"said": "Both."})
    assert [run.status for run in children(system)] == ["succeeded"] * 2
    assert calls.SEEN["leaf"] == 2
    assert answers(asked.calls[-1]) == [{"n": 2}, {"n": 4}]
    assert len(asked.calls) == 2
    assert system.letters() == []


@pytest.mark.parametrize("counts_attempts", [True, False])
@pytest.mark.parametrize("point", POINTS)
async def test_a_run_is_opened_once_though_whoever_opens_it_dies(
    point: Point, *, counts_attempts: bool
):
    asked = model(TWICE, "Both.")
    system = System([boss(), WORKER], model=asked, counts_attempts=counts_attempts)
    await system.publish(EVENT, {"n": 7})
    await to_the_message_of(system, CALL, "act")
    await system.killed_at(point, CALL)
    await system.run()
    require_once(system, asked)


@pytest.mark.parametrize("kind", [START, RunEnded.type])
@pytest.mark.parametrize("point", ["decoded", "committed", "emitted"])
async def test_a_run_begins_and_is_told_of_once_though_route_dies(kind: str, point: Point):
    asked = model(TWICE, "Both.")
    system = System([boss(), WORKER], model=asked)
    await system.publish(EVENT, {"n": 7})
    while not (found := [one for one in system.pipeline.collect() if type_of(one) == kind]):
        await system.pipeline.step()
    await system.killed_on(system.pipeline.take(found[0]), point)
    await system.run()
    require_once(system, asked)


@pytest.mark.parametrize("seed", range(3))
async def test_every_message_twice_is_every_message_once(seed: int):
    asked = model(TWICE, "Both.")
    system = System([boss(), WORKER], model=asked, seed=seed)
    await system.publish(EVENT, {"n": 7}, ce_id="e1")
    repeated: set[str] = set()
    while waiting := system.pipeline.collect():
        for one in waiting:
            if one.message_id not in repeated:
                again = await system.send(one.topic, one.message.data, one.message.attributes)
                repeated |= {one.message_id, again}
        await system.pipeline.step()
    require_once(system, asked)
