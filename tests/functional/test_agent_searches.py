"""Collections that agents search as tools: recorded, billed, told to the model, cited."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from shared.cli.views import run_view
from shared.delivery.crashpoints import POINTS, Point
from shared.domain.envelope import ModelRequest
from shared.domain.retrieval.collection import Collection
from shared.domain.version import FlowVersion
from shared.errors import ModelUnreachableError
from shared.prompting.library import read_flow
from shared.prompting.prompt_file import read_prompt
from shared.testing.memory import ScriptedModel
from tests.functional.agents import TOOLS_KNOWN, asks, model, script, tools
from tests.functional.system import EVENT, System
from tests.functional.test_retrieve import ANSWER, filled, reported, unindexed

DOCS = Collection(collection="docs", metadata={"kind": "string"})
FIND = "{collection: docs, as: find, description: Finds passages., top_k: 1%s}"


def agent(more: str = "", *others: str, **head: Any) -> FlowVersion:
    """A flow whose agent `help` searches the documents; `more` is said of its search."""
    front = {"description": "Helps.", "model": "gemini-2.5-flash", **head}
    text = f"---\n{json.dumps(front)}\n---\nHelp."
    prompts = {"helper": read_prompt("helper", text, "helper.md.j2", {}, {"docs": DOCS})}
    listed = ", ".join([FIND % more, *others])
    given = "{kind: '{{ event.data.kind | default(0) }}'}"
    step = f"{{agent: helper, tools: [{listed}], with: {given}}}"
    text = f"flow: thing\non: {{event: {EVENT}}}\nsteps:\n  help: {step}\n"
    collections = {"docs": DOCS}
    return read_flow(text, "thing.yaml", prompts, None, TOOLS_KNOWN, collections)


def turns(report: dict[str, Any]) -> list[dict[str, Any]]:
    return list(report["steps"]["help"]["turns"])


CATS = asks(("find", {"query": "do cats purr?"}))


async def test_a_search_is_a_call_with_a_record_sources_and_a_bill_of_its_own() -> None:
    system = await filled(agent(), model=model(CATS, "They do."))
    await system.start({})
    report = await reported(system)
    assert report["status"] == "succeeded"
    [call] = turns(report)[0]["calls"]
    [chunk] = call["output"]["chunks"]
    assert (call["tool"], chunk["document"]) == ("find", "cats.md")
    assert call["sources"] == [chunk["id"]]
    assert (call["tokens"]["input"] > 0, call["cost_usd"] > 0, call["llm_calls"]) == (True, True, 0)
    assert report["steps"]["help"]["tokens"] == report["totals"]["tokens"]
    [line] = [r for r in system.world.telemetry.reports if r.labels.get("tool") == "find"]
    assert (line.stage, line.details["sources"]) == ("generate", call["sources"])
    assert [one.operation for one in line.calls] == ["embeddings"]
    console = Console(width=200, record=True, file=StringIO())
    console.print(run_view(report))
    assert "find 1 chunk" in console.export_text()


async def test_the_model_is_told_of_the_tool_and_of_what_it_finds() -> None:
    asked = model(CATS, "They do.")
    system = await filled(agent(), model=asked)
    await system.start({})
    first, second = asked.calls
    [tool] = first.tools
    assert (tool.name, tool.description) == ("find", "Finds passages.")
    assert tool.parameters["required"] == ["query"]
    found = second.said[1].parts[0]["functionResponse"]
    assert found["response"]["chunks"][0]["text"] == "Cats purr and sleep all day."


async def test_a_search_finds_only_what_its_declaration_allows() -> None:
    more = ', where: {kind: "{{ kind }}"}'
    system = await filled(agent(more), model=model(CATS, CATS, "They do."))
    await system.start({"kind": "sky"})
    found = [
        one["calls"][0]["output"]["chunks"][0]["document"]
        for one in turns(await reported(system))[:2]
    ]
    assert found == ["stars.md", "stars.md"]


async def test_searches_and_tools_of_a_turn_run_side_by_side() -> None:
    both = asks(("find", {"query": "cats"}), ("look", {"n": 1}), ("find", {"query": "stars"}))
    asked = model(both, "Done.")
    with tools():
        system = await filled(agent("", "look"), model=asked)
        await system.start({})
    told = [part["functionResponse"]["response"] for part in asked.calls[1].said[1].parts]
    assert told[1] == {"twice": 2}
    assert [one["chunks"][0]["document"] for one in told[::2]] == ["cats.md", "stars.md"]


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_any_point_of_a_search_is_billed_once_an_attempt(point: Point) -> None:
    asked = model(CATS, "They do.")
    system = await filled(agent(), model=asked)
    await system.publish(EVENT, {})
    part = "help[turn-1.call-0]"
    while not any(_step(one) == part for one in system.pipeline.collect()):
        await system.pipeline.step()
    await system.killed_at(point, part)
    await system.run()
    report = await reported(system)
    assert (report["status"], len(asked.calls)) == ("succeeded", 2)
    [call] = turns(report)[0]["calls"]
    again = point == "worked"  # nobody knows what that one has found
    assert len(system.embedder.calls) == 1 + again
    assert call["attempts"] == 1 + (point in {"claimed", "worked"})
    assert call["tokens"]["input"] > 0
    assert system.letters() == []


def _step(waiting: Any) -> str | None:
    step: str | None = waiting.message.attributes.get("segue-step")
    return step


async def test_duplicates_of_a_search_change_nothing() -> None:
    asked = model(CATS, "They do.")
    system = await filled(agent(), model=asked)
    await system.start({}, ce_id="e1")
    before = await reported(system)
    for topic, _, message in list(system.world.messages.published):
        if "[turn-" in message.attributes.get("segue-step", ""):
            await system.send(topic, message.data, message.attributes)
            await system.run()
    assert (len(asked.calls), len(system.embedder.calls)) == (2, 1)
    assert await reported(system) == before


@pytest.mark.parametrize(
    "args", [{}, {"query": " "}, {"query": 7}, {"query": "x" * 2001}, {"query": "x", "top_k": 50}]
)
async def test_a_query_that_cannot_be_searched_for_is_told_to_the_model(
    args: dict[str, Any],
) -> None:
    system = System([agent()], model=model(asks(("find", args)), "I give up."))
    await system.start({})
    report = await reported(system)
    [call] = turns(report)[0]["calls"]
    assert report["status"] == "succeeded"
    assert call["output"]["error"]["code"] == "ToolArguments"
    assert system.embedder.calls == []


async def test_a_search_that_is_asked_for_again_and_again_is_refused() -> None:
    system = System([agent()], model=model(CATS, CATS, CATS, CATS, "They do."))
    await system.start({})
    output = turns(await reported(system))[3]["calls"][0]["output"]
    assert output["error"]["code"] == "ToolRepeated"
    assert len(system.embedder.calls) == 3


async def test_a_missing_index_fails_the_agent_and_a_redrive_goes_on_from_there() -> None:
    asked = model(CATS, "They do.")
    system = await filled(agent(), model=asked)
    found = system.world.documents.nearest
    system.world.documents.nearest = unindexed  # type: ignore[method-assign]
    await system.start({})
    assert (await reported(system))["error"]["code"] == "IndexMissing"
    system.world.documents.nearest = found  # type: ignore[method-assign]
    await system.redrive()
    assert ((await reported(system))["status"], len(asked.calls)) == ("succeeded", 2)


async def test_a_model_that_embeds_and_cannot_be_reached_is_asked_again() -> None:
    system = await filled(agent(), model=model(CATS, "They do."))
    system.embedder.errors.append(ModelUnreachableError("gone"))
    await system.start({})
    assert (await reported(system))["status"] == "succeeded"


def citing(sources: Sequence[str]) -> ScriptedModel:
    """Searches, and names these sources; once told that they are wrong, what it has found."""

    def answer(request: ModelRequest) -> dict[str, Any]:
        told = [part for said in request.said for part in said.parts]
        found = [part["functionResponse"] for part in told if "functionResponse" in part]
        known = [one["id"] for each in found for one in each["response"]["chunks"]]
        is_repair = "text" in told[-1]
        return {"text": "They do.", "sources": known if is_repair else list(sources)}

    return ScriptedModel({"helper": lambda request: _turn(request, answer)})


def _turn(request: ModelRequest, answer: Any) -> Any:
    return script(CATS, answer(request) if request.said else "")(request)


async def test_what_an_agent_cites_must_be_what_its_calls_have_found() -> None:
    system = await filled(agent(output=ANSWER), model=citing(["made-up"]))
    await system.start({})
    report = await reported(system)
    assert report["steps"]["help"]["output"]["sources"] == turns(report)[0]["calls"][0]["sources"]
    assert turns(report)[1]["llm_calls"] == 2


async def test_what_cites_gives_may_be_named_beside_it() -> None:
    version = agent(output=ANSWER, cites="event.data.known")
    system = await filled(version, model=citing(["given"]))
    await system.start({"known": ["given"]})
    report = await reported(system)
    assert report["steps"]["help"]["output"]["sources"] == ["given"]
    assert turns(report)[1]["llm_calls"] == 1


async def test_a_run_searches_the_collection_that_it_was_opened_with() -> None:
    version = agent()
    assert set(version.collections) == {"docs"}
    system = System([version], model=model(CATS, "Nothing is known."))
    await system.publish(EVENT, {})
    await system.pipeline.step()
    changed = DOCS.model_copy(update={"dimensions": 32})
    system.deploy(version.model_copy(update={"collections": {"docs": changed}}))
    await system.run()
    [request] = system.embedder.calls
    assert request.dimensions == DOCS.dimensions


async def test_a_persona_searches_what_is_its_own_to_search() -> None:
    front = "---\ndescription: Finds.\nmodel: gemini-2.5-flash\n---\nFind."
    persona = read_prompt("finder", front, "finder.md.j2", {}, {"docs": DOCS})
    tool = f"[{FIND % ''}]"
    step = f"{{agent: helper, hand_offs: {{finder: {{agent: finder, tools: {tool}}}}}}}"
    text = f"flow: thing\non: {{event: {EVENT}}}\nsteps:\n  help: {step}\n"
    prompts = {**agent().prompts, "finder": persona}
    version = read_flow(text, "thing.yaml", prompts, None, TOOLS_KNOWN, {"docs": DOCS})
    over = asks(("hand_off_to_finder", {"reason": "it knows"}))
    finds = script("", "", CATS, "They do.")
    asked = ScriptedModel({"helper": script(CATS, over), "finder": finds})
    system = await filled(version, model=asked)
    await system.start({})
    report = await reported(system)
    assert report["status"] == "succeeded"
    outputs = [turn["calls"][0]["output"] for turn in turns(report)[:3]]
    assert outputs[0]["error"]["code"] == "ToolUnknown"  # who began has no such tool
    assert outputs[2]["chunks"][0]["document"] == "cats.md"
