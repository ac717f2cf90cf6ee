"""Hand-offs: another persona goes on with an agent's conversation, once, whatever crashes."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from shared.cli.graph.mermaid import mermaid_of
from shared.cli.graph.reading import graph_of
from shared.cli.views import run_view
from shared.delivery.crashpoints import POINTS, Point
from shared.domain.version import FlowVersion
from shared.errors import ModelRefusedError
from shared.testing.memory import ScriptedModel
from tests.functional.agents import (
    HELPER,
    TOOLS_KNOWN,
    asks,
    made,
    parts,
    script,
    tools,
)
from tests.functional.system import EVENT, System, flow, prompt
from tests.functional.test_agent_troubles import tell
from tests.functional.test_agents import to_the_message_of

BILLING = prompt(
    "billing", "It is about {{ first.text }}.", model="gemini-2.5-pro", system="You are billing."
)
TECH = prompt("tech", "You mend things.")
TO_BILLING = asks(("hand_off_to_billing", {"reason": "money"}))
TO_TECH = asks(("hand_off_to_tech", {"reason": "broken"}))
BACK = asks(("hand_off_to_help", {"reason": "all paid"}))
BOOK = asks(("book", {"n": 1}))


def team(more: str = "", billing: str = "", head: Any = HELPER) -> FlowVersion:
    """An agent with two personas beside its own prompt."""
    step = f"""
        first: {{prompt: say, with: {{text: a bill}}}}
        help:
          needs: first
          agent: helper
          tools: [look]
          hand_offs:
            billing: {{agent: billing, tools: [look, book]{billing}}}
            tech: {{agent: tech, description: For what is broken.}}
          {more}
        """
    said = "outputs: {said: '{{ help }}'}"
    return flow(step, head, BILLING, TECH, more=said, tools=TOOLS_KNOWN)


def model(*turns: Any) -> ScriptedModel:
    answers = {name: script(*turns) for name in ("helper", "billing", "tech")}
    return ScriptedModel(answers, default=lambda request: request.messages[0][1])


def system(*turns: Any, version: FlowVersion | None = None, **about: Any) -> System:
    return System([version or team()], model=model(*turns), **about)


def asked(one: System) -> list[Any]:
    """What the agent's models were asked, in order."""
    assert isinstance(one.model, ScriptedModel)
    return [call for call in one.model.calls if call.labels["segue-step"].startswith("help")]


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with tools():
        yield


async def test_the_conversation_goes_on_with_the_instruction_model_and_tools_of_the_other():
    one = system(TO_BILLING, BOOK, BACK, "Done.")
    await one.start({"n": 7})
    first, second, third, fourth = asked(one)
    assert (await one.report())["outputs"] == {"said": {"text": "Done."}}
    names = [[tool.name for tool in call.tools] for call in (first, second)]
    assert names == [
        ["look", "hand_off_to_billing", "hand_off_to_tech"],
        ["look", "book", "hand_off_to_help", "hand_off_to_tech"],
    ]
    assert first.tools[1].description.endswith("in your place. The prompt billing.")
    assert first.tools[2].description.endswith("in your place. For what is broken.")
    assert (second.model, second.system) == (
        "gemini-2.5-pro",
        "You are billing.\n\nIt is about a bill.",
    )
    assert second.messages == first.messages == (("user", "Help with 7."),)
    answer = {"name": "hand_off_to_billing", "response": {"handed_off_to": "billing"}}
    assert second.said[1].parts == ({"functionResponse": answer},)
    assert (third.system, third.tools) == (second.system, second.tools)
    assert (fourth.system, fourth.tools, fourth.model) == (first.system, first.tools, first.model)
    assert [turn.labels["segue-prompt"] for turn in (first, second, third, fourth)] == [
        "helper",
        "billing",
        "billing",
        "helper",
    ]
    assert made() == {"book": 1}


async def test_calls_beside_a_hand_off_are_answered_before_the_other_speaks():
    beside = asks(("look", {"n": 2}), ("hand_off_to_billing", {"reason": "money"}))
    one = system(beside, "Done.")
    await one.publish(EVENT, {"n": 7})
    await to_the_message_of(one, "help[turn-1.call-0]", "act")
    assert parts(one)["help[turn-1.call-1]"].output == {"handed_off_to": "billing"}
    assert "help[turn-2]" not in parts(one)
    await one.run()
    answers = [part["functionResponse"]["response"] for part in asked(one)[1].said[1].parts]
    assert answers == [{"twice": 4}, {"handed_off_to": "billing"}]
    assert asked(one)[1].labels["segue-prompt"] == "billing"


@pytest.mark.parametrize(
    ("calls", "answers", "speaker"),
    [
        (
            [("hand_off_to_tech", {"reason": "a"}), ("hand_off_to_billing", {"reason": "b"})],
            ["tech", "ToolRejected"],
            "tech",
        ),
        ([("hand_off_to_billing", {})], ["ToolArguments"], "help"),
        ([("hand_off_to_nobody", {"reason": "a"})], ["ToolUnknown"], "help"),
        ([("hand_off_to_help", {"reason": "a"})], ["ToolUnknown"], "help"),  # it speaks already
        ([("book", {"n": 1})], ["ToolUnknown"], "help"),  # only billing has that
    ],
)
async def test_what_cannot_be_handed_over_is_told_to_the_model(
    calls: list[Any], answers: list[str], speaker: str
):
    one = system(asks(*calls), "Done.")
    await one.start({"n": 7})
    given = [part["functionResponse"]["response"] for part in asked(one)[1].said[1].parts]
    assert [told.get("handed_off_to") or told["error"]["code"] for told in given] == answers
    report = await one.report()
    assert report["steps"]["help"]["turns"][1]["speaker"] == speaker


async def test_a_persona_hands_over_only_to_those_it_names():
    one = system(TO_BILLING, TO_TECH, BACK, "Done.", version=team(billing=", to: [help]"))
    await one.start({"n": 7})
    turns = (await one.report())["steps"]["help"]["turns"]
    assert [turn["speaker"] for turn in turns] == ["help", "billing", "billing", "help"]
    assert turns[1]["calls"][0]["output"]["error"]["code"] == "ToolUnknown"
    assert [tool.name for tool in asked(one)[1].tools] == ["look", "book", "hand_off_to_help"]


async def test_the_answer_is_checked_against_the_schema_of_the_steps_own_prompt():
    schema = {"type": "object", "properties": {"paid": {"type": "integer"}}, "required": ["paid"]}
    head = prompt("helper", "Help with {{ event.data.n }}.", output=schema)
    one = system(TO_BILLING, "It is paid.", {"paid": 3}, version=team(head=head))
    await one.start({"n": 7})
    assert (await one.report())["outputs"] == {"said": {"paid": 3}}
    assert [call.labels["segue-prompt"] for call in asked(one)] == ["helper", "billing", "billing"]


@pytest.mark.parametrize(
    ("limits", "code", "turns"),
    [
        ("{turns: 3}", "AgentTurns", 3),
        ("{calls: 2}", "AgentCalls", 3),
        ("{repeats: 1}", "AgentRepeats", 4),
    ],
)
async def test_limits_count_over_all_personas(limits: str, code: str, turns: int):
    version = team(f"limits: {limits}")
    answers = (TO_BILLING, BACK, TO_BILLING, TO_BILLING)
    one = system(*answers, version=version)
    await one.start({"n": 7})
    assert (await one.report())["error"]["code"] == code
    assert len(asked(one)) == turns


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("part", ["help[turn-1]", "help[turn-2]", "help[turn-2.call-0]"])
async def test_a_crash_at_any_point_changes_nothing_of_who_speaks(part: str, point: Point):
    turns = (TO_BILLING, asks(("book", {"n": 1}), ("hand_off_to_tech", {"reason": "x"})), "Done.")
    one = system(*turns)
    await one.publish(EVENT, {"n": 7})
    await to_the_message_of(one, part, "act" if "call" in part else "generate")
    await one.killed_at(point, part)
    await one.run()
    assert (await one.report())["outputs"] == {"said": {"text": "Done."}}
    assert made()["book"] <= 3
    assert len(asked(one)) <= 4
    speakers = [turn["speaker"] for turn in (await one.report())["steps"]["help"]["turns"]]
    assert speakers == ["help", "billing", "tech"]
    last = asked(one)[-1]
    assert (last.system, last.messages) == ("You mend things.", (("user", "Help with 7."),))
    assert [said.role for said in last.said] == ["model", "user"] * 2
    assert one.letters() == []


async def test_a_crash_between_the_answer_of_a_hand_off_and_the_next_turn_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
):
    one = system(TO_BILLING, "Done.")
    await one.publish(EVENT, {"n": 7})
    await to_the_message_of(one, "help[turn-1]", "generate")
    store, commit = one.world.documents, one.world.documents.commit
    broken = iter([True])

    async def failing(writes: Any) -> Any:
        done = await commit(writes)
        if "call-0" in writes[0].path and next(broken, False):
            raise ConnectionError("the answer was lost, and the instance with it")
        return done

    monkeypatch.setattr(store, "commit", failing)
    await one.run()
    assert (await one.report())["outputs"] == {"said": {"text": "Done."}}
    assert len(asked(one)) == 2


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_a_hand_off_that_a_person_has_stopped_is_not_answered(verb: str):
    one = system(TO_BILLING, "Done.")
    await one.publish(EVENT, {"n": 7})
    await to_the_message_of(one, "help[turn-1]", "generate")
    await one.killed_at("committed", "help[turn-1]")
    await tell(one, verb)
    await one.run()
    call = parts(one)["help[turn-1.call-0]"]
    assert (call.output, len(asked(one))) == (None, 1)
    if verb == "pause":
        await tell(one, "resume")
        await one.run()
        assert (await one.report())["outputs"] == {"said": {"text": "Done."}}
        assert asked(one)[1].labels["segue-prompt"] == "billing"


async def test_a_redrive_goes_on_with_who_spoke():
    one = system(TO_BILLING, ModelRefusedError("no"))
    await one.start({"n": 7})
    assert (await one.report())["status"] == "failed"
    assert isinstance(one.model, ScriptedModel)
    one.model.answers["billing"] = script(TO_BILLING, "Done.")
    await one.redrive()
    assert (await one.report())["outputs"] == {"said": {"text": "Done."}}
    assert [call.labels["segue-prompt"] for call in asked(one)] == ["helper", "billing", "billing"]


async def test_duplicates_of_all_messages_change_nothing():
    one = system(TO_BILLING, BOOK, "Done.")
    await one.start({"n": 7}, ce_id="e1")
    before = {key: value for key, value in one.world.documents.documents.items() if "/st" in key}
    for topic, _, message in list(one.world.messages.published):
        await one.send(topic, message.data, message.attributes)
        await one.run()
    assert {key: one.world.documents.documents[key] for key in before} == before
    assert (len(asked(one)), made()) == (3, {"book": 1})


async def test_approvals_are_those_of_who_speaks():
    version = team(billing=", to: [help]")
    strict = version.model_dump(mode="json", by_alias=True)
    strict["flow"]["steps"]["help"]["hand_offs"]["billing"]["tools"] = [
        {"tool": "book", "approval": "always"}
    ]
    one = system(TO_BILLING, BOOK, "Done.", version=FlowVersion.model_validate(strict))
    await one.start({"n": 7})
    [call] = (await one.report())["steps"]["help"]["turns"][1]["calls"]
    assert (call["status"], made()) == ("waiting", {})


async def test_who_speaks_is_told_by_report_log_and_graph():
    one = system(TO_BILLING, BOOK, "Done.")
    await one.start({"n": 7})
    report = await one.report()
    turns = report["steps"]["help"]["turns"]
    assert [turn["prompt"]["name"] for turn in turns] == ["helper", "billing", "billing"]
    console = Console(width=200, record=True, file=StringIO())
    console.print(run_view(report))
    assert "billing as billing" in console.export_text()
    lines = [line.labels for line in one.world.telemetry.reports if "speaker" in line.labels]
    assert [(line["step"], line["speaker"]) for line in lines] == [
        ("help[turn-2]", "billing"),
        ("help[turn-2.call-0]", "billing"),
        ("help[turn-3]", "billing"),
    ]
    assert "hand offs billing (look, book), tech" in mermaid_of(graph_of(team()))
