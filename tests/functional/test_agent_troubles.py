"""Agents whose models or tools misbehave, and agents that are stopped and continued."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.domain.records import RunRecord
from shared.errors import ModelRefusedError, ModelTruncatedError, SegueError
from shared.testing.memory import ScriptedModel
from tests.functional import calls
from tests.functional.agents import (
    BROKEN,
    KEPT,
    TOOLS_KNOWN,
    agent,
    asks,
    made,
    model,
    parts,
    script,
    tools,
    turns_in,
)
from tests.functional.family import sweep
from tests.functional.system import EVENT, System, flow, prompt
from tests.functional.test_agents import to_the_message_of

LOOK = asks(("look", {"n": 1}))


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with tools():
        yield


async def started(*turns: Any, more: str = "tools: [look, book, pay, hang]") -> System:
    system = System([agent(more)], model=model(*turns))
    await system.start({"n": 1})
    return system


def told(system: System, call: int = 0) -> Any:
    """What the model was told in its second turn about a call."""
    assert isinstance(system.model, ScriptedModel)
    answer = system.model.calls[1].said[1].parts[call]["functionResponse"]
    assert isinstance(answer, dict)
    return answer["response"]


# -- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        (("fly", {}), "ToolUnknown", "there is no tool 'fly'; there are: look, book"),
        (("send", {"n": 1}), "ToolUnknown", "there is no tool 'send'"),  # not this agent's
        (("look", {"n": "many"}), "ToolArguments", "n: Input should be a valid integer"),
        (("look", {"m": 1}), "ToolArguments", "n: Field required"),
    ],
)
async def test_a_call_that_cannot_be_made_is_told_to_the_model(
    call: tuple[str, dict[str, Any]], code: str, words: str
):
    system = await started(asks(call), "Sorry.")
    assert (told(system)["error"]["code"], made()) == (code, {})
    assert words in told(system)["error"]["message"]
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"said": "Sorry."})
    [first, _] = report["steps"]["help"]["turns"]
    assert first["calls"][0]["output"] == told(system)


async def test_a_tool_that_fails_is_told_to_the_model():
    BROKEN.add("look")
    system = await started(LOOK, "Sorry.")
    assert told(system)["error"]["code"] == "ToolFailed"
    assert "look is broken" in told(system)["error"]["message"]


async def test_a_tool_that_hangs_is_cut_off_and_told_to_the_model():
    system = await started(
        asks(("hang", {})), "Sorry.", more="tools: [{tool: hang, timeout: 0.01}]"
    )
    assert told(system)["error"]["code"] == "ToolTimeout"
    assert (await system.report())["status"] == "succeeded"


async def test_a_tool_that_asks_for_another_try_gets_it_and_has_its_key():
    BROKEN.add("book")
    system = System([agent()], model=model(asks(("book", {"n": 1})), "Done."))
    await system.publish(EVENT, {"n": 1})
    await to_the_message_of(system, "help[turn-1.call-0]", "act")
    await system.pipeline.step("act")
    assert parts(system)["help[turn-1.call-0]"].status == "pending"
    BROKEN.clear()
    await system.run()
    assert ((await system.report())["status"], len(KEPT)) == ("succeeded", 1)


async def test_a_model_that_never_stops_calling_is_stopped():
    turns = [asks(("look", {"n": n})) for n in range(9)]
    system = await started(*turns, more="tools: [look], limits: {turns: 3}")
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "AgentTurns")
    assert (made(), system.letter().error.code) == ({"look": 2}, "AgentTurns")


async def test_an_agent_that_asks_for_too_many_calls_is_stopped_before_they_are_made():
    many = asks(*(("look", {"n": n}) for n in range(4)))
    system = await started(LOOK, many, more="tools: [look], limits: {calls: 4}")
    assert (await system.report())["error"]["code"] == "AgentCalls"
    assert made() == {"look": 1}


async def test_the_same_call_again_and_again_is_answered_once_and_then_stopped():
    system = await started(LOOK, more="tools: [look], limits: {repeats: 2}")
    assert (await system.report())["error"]["code"] == "AgentRepeats"
    assert made() == {"look": 2}
    assert parts(system)["help[turn-3.call-0]"].output["error"]["code"] == "ToolRepeated"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelTruncatedError("cut"), "ModelTruncated"),
        (ModelRefusedError("blocked"), "ModelRefused"),
    ],
)
async def test_an_answer_that_is_none_fails_the_agent(error: SegueError, code: str):
    system = await started(LOOK, error)
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", code)
    assert report["error"]["step"] == "help[turn-2]"
    assert report["steps"]["help"]["turns"][1]["error"]["code"] == code
    assert system.letter().step == "help[turn-2]"


@pytest.mark.parametrize("more", ["on_error: continue", "fallback: {value: {text: none}}"])
async def test_the_failure_of_an_agent_can_be_provided_for(more: str):
    system = await started(ModelRefusedError("no"), more=f"tools: [look], {more}")
    report = await system.report()
    said = "none" if "fallback" in more else None
    assert (report["status"], report["outputs"]) == ("succeeded", {"said": said})
    assert system.letters() == []


async def test_the_answer_fits_the_prompts_schema_or_is_repaired():
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    strict = prompt("helper", "Help.", output=schema)
    version = flow(
        "help: {agent: helper, tools: [look]}",
        strict,
        more="outputs: {n: '{{ help.n }}'}",
        tools=TOOLS_KNOWN,
    )
    asked = ScriptedModel({"helper": script(LOOK, "none", {"n": 3})})
    system = System([version], model=asked)
    await system.start({})
    assert (await system.report())["outputs"] == {"n": 3}
    [_, _, repaired] = asked.calls
    assert [one.role for one in repaired.said] == ["model", "user", "model", "user"]
    assert "required JSON schema" in str(repaired.said[-1].parts[0]["text"])


# -- continued ----------------------------------------------------------------------------------


async def test_a_redriven_agent_goes_on_at_its_last_finished_turn():
    answers: list[Any] = [LOOK, asks(("book", {"n": 2})), ModelRefusedError("no")]
    asked = ScriptedModel({"helper": lambda request: answers[turns_in(request)]})
    system = System([agent()], model=asked)
    await system.start({"n": 1})
    assert (await system.report())["status"] == "failed"
    answers[2] = "Done."
    await system.redrive()
    assert (await system.report())["outputs"] == {"said": "Done."}
    assert (made(), len(asked.calls)) == ({"look": 1, "book": 1}, 4)
    assert parts(system)["help[turn-3]"].attempts[-1].n == 2


async def test_a_prompt_that_cannot_be_rendered_fails_the_agent_and_can_be_redriven():
    system = System([agent()], model=model("Hello."))
    await system.start({})
    assert (await system.report())["error"]["code"] == "Template"
    assert system.letter().step == "help[turn-1]"
    system.deploy(flow("help: {agent: helper}", prompt("helper", "Hi."), tools=TOOLS_KNOWN))
    await system.redrive(repin=True)
    assert (await system.report())["status"] == "succeeded"


async def test_higher_limits_let_an_agent_go_on():
    turns = [asks(("look", {"n": n})) for n in range(4)]
    system = await started(*turns, "Done.", more="tools: [look], limits: {turns: 2}")
    system.deploy(agent("tools: [look], limits: {turns: 9}"))
    await system.redrive(repin=True)
    assert ((await system.report())["status"], made()) == ("succeeded", {"look": 4})


async def test_an_agent_that_takes_too_long_fails_with_all_of_it():
    more = "tools: [look, {tool: pay, approval: always}], timeout: 1m"
    system = await started(asks(("pay", {"n": 1})), "Paid.", more=more)
    await sweep(system, 90)
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "StepTimeout")
    assert parts(system)["help[turn-1.call-0]"].status == "cancelled"
    await system.redrive()
    assert parts(system)["help[turn-1.call-0]"].status == "waiting"
    assert made() == {}


@pytest.mark.parametrize("part", ["help[turn-1]", "help[turn-1.call-0]", "help[turn-2]"])
async def test_a_cancelled_agent_does_nothing_more(part: str):
    system = System([agent()], model=model(asks(("book", {"n": 1})), "Done."))
    await system.publish(EVENT, {"n": 1})
    await to_the_message_of(system, part, "act" if "call" in part else "generate")
    await tell(system, "cancel")
    done = made()
    await system.run()
    assert ((await system.report())["status"], made()) == ("cancelled", done)
    statuses = {one.status for one in parts(system).values()}
    assert statuses <= {"succeeded", "cancelled"}
    assert parts(system)[part].status == "cancelled"


@pytest.mark.parametrize("part", ["help[turn-1]", "help[turn-1.call-0]", "help[turn-2]"])
async def test_a_paused_agent_begins_nothing_until_it_is_resumed(part: str):
    asked = model(asks(("book", {"n": 1})), "Done.")
    system = System([agent()], model=asked)
    await system.publish(EVENT, {"n": 1})
    await to_the_message_of(system, part, "act" if "call" in part else "generate")
    await tell(system, "pause")
    before = (made(), len(asked.calls))
    await system.run()
    assert (made(), len(asked.calls)) == before
    await tell(system, "resume")
    await system.run()
    assert ((await system.report())["status"], len(asked.calls)) == ("succeeded", 2)
    assert made() == {"book": 1}


async def tell(system: System, verb: str) -> None:
    """Has `route` obey an order before anything else is delivered."""
    [run] = system.stored("runs", RunRecord)
    system.world.clock.advance(1)
    await system.publish(f"segue.run.{verb}", {"run": run.run_id})
    while await system.pipeline.step("route"):
        pass


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_after_the_last_turn_of_a_failing_agent_leaves_one_letter(point: Point):
    system = System([agent()], model=model(LOOK, ModelRefusedError("no")))
    await system.publish(EVENT, {"n": 1})
    await to_the_message_of(system, "help[turn-2]", "generate")
    await system.killed_at(point, "help[turn-2]")
    await system.run()
    assert (await system.report())["status"] == "failed"
    assert [one.step for one in system.letters()] == ["help[turn-2]"]


# -- beside others ------------------------------------------------------------------------------


async def test_a_run_that_is_finished_elsewhere_leaves_its_agent_behind():
    quick = "quick: {needs: [], call: test.echo, with: {value: 1}, finish: true}"
    version = agent("tools: [book]", quick, outputs="{{ quick }}")
    system = System([version], model=model(asks(("book", {"n": 1})), "Done."))
    await system.publish(EVENT, {"n": 1})
    for stage in ("route", "compose", "generate"):
        await system.pipeline.step(stage)
    steps = {one.message.attributes["segue-step"]: one for one in system.pipeline.collect()}
    waiting = steps["quick"]
    assert "help[turn-1.call-0]" in steps
    await system.pipeline.deliver(system.pipeline.take(waiting))
    await system.run()
    assert ((await system.report())["status"], made()) == ("succeeded", {})
    assert system.letters() == []


async def test_what_is_approved_while_its_run_is_paused_begins_when_that_is_resumed():
    tool = "tools: [{tool: pay, approval: always}]"
    system = System([agent(tool)], model=model(asks(("pay", {"n": 1})), "Paid."))
    await system.start({"n": 1})
    await tell(system, "pause")
    [run] = system.run_ids()
    told = {"run": run, "name": "help[turn-1.call-0]", "by": "ada", "data": {"approved": True}}
    await system.start(told, "segue.run.signal")
    assert made() == {}
    await tell(system, "resume")
    await system.run()
    assert ((await system.report())["status"], made()) == ("succeeded", {"pay": 1})


async def test_an_agent_goes_on_where_another_step_has_failed_its_run():
    calls.BROKEN.add("other")
    other = "other: {call: test.count, with: {name: other}}"
    asked = model(asks(("book", {"n": 1})), "Done.")
    system = System([agent("tools: [book]", other)], model=asked)
    await system.start({"n": 1})
    assert (await system.report())["status"] == "failed"
    calls.BROKEN.clear()
    await system.redrive()
    assert ((await system.report())["status"], made()) == ("succeeded", {"book": 1})
    assert len(asked.calls) == 2
