"""Agents: a model's turns and its calls of tools, journaled, parallel, in any order, once each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from shared.cli.graph.mermaid import mermaid_of
from shared.cli.graph.progress import with_run
from shared.cli.graph.reading import graph_of
from shared.cli.views import run_view
from shared.delivery.crashpoints import POINTS, Point
from shared.ports import Written
from tests.functional import calls
from tests.functional.agents import KEPT, MADE, agent, asks, made, model, parts, tools
from tests.functional.system import EVENT, System


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with tools():
        yield


TWO = asks(("look", {"n": 1}), ("book", {"n": 2}))
THEN = asks(("look", {"n": 3}))


async def test_an_agent_takes_turns_until_it_answers_without_a_call():
    system = System([agent()], model=model(TWO, THEN, "All done."))
    await system.start({"n": 7})
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"said": "All done."})
    assert sorted(name for name, _ in MADE) == ["book", "look", "look"]
    assert sorted(parts(system)) == [
        "help[turn-1.call-0]",
        "help[turn-1.call-1]",
        "help[turn-1]",
        "help[turn-2.call-0]",
        "help[turn-2]",
        "help[turn-3]",
    ]
    assert system.letters() == []


async def test_the_model_is_told_all_that_was_said():
    asked = model(TWO, THEN, "All done.")
    system = System([agent()], model=asked)
    await system.start({"n": 7})
    first, second, third = asked.calls
    assert [tool.name for tool in first.tools] == ["look", "book", "send", "pay"]
    assert (first.messages, first.said) == ((("user", "Help with 7."),), ())
    answer = second.said[1]
    assert (second.messages, second.said[0], answer.role) == (first.messages, TWO.said, "user")
    assert answer.parts == (
        {"functionResponse": {"name": "look", "response": {"twice": 2}}},
        {"functionResponse": {"name": "book", "response": {"result": "booked 2"}}},
    )
    assert third.said[:2] == second.said
    assert third.said[2] == THEN.said
    assert third.said[0].parts[0]["thoughtSignature"] == "c2ln"


@pytest.mark.parametrize("seed", range(4))
async def test_calls_of_a_turn_run_in_parallel_in_any_order(seed: int):
    many = asks(*(("look", {"n": n}) for n in range(5)))
    asked = model(many, "Done.")
    system = System([agent()], model=asked, seed=seed)
    await system.publish(EVENT, {"n": 1})
    while "help[turn-1.call-0]" not in str(system.pipeline.collect()):
        await system.pipeline.step()
    assert len(system.pipeline.collect()) == 5
    await system.run()
    assert (made(), len(asked.calls)) == ({"look": 5}, 2)
    told = [part["functionResponse"]["response"] for part in asked.calls[1].said[1].parts]
    assert told == [{"twice": n * 2} for n in range(5)]


async def test_calls_that_end_at_once_send_the_next_turn_once(monkeypatch: pytest.MonkeyPatch):
    system = System([agent()], model=model(TWO, "Done."))
    await system.publish(EVENT, {"n": 7})
    await to_the_message_of(system, "help[turn-1.call-0]", "act")
    both, store = asyncio.Barrier(2), system.world.documents
    commit = store.commit

    async def commit_together(writes: Sequence[Any]) -> list[Written]:
        done = await commit(writes)
        if any("call-" in one.path and one.data.get("finished_at") for one in writes):
            await both.wait()
        return done

    monkeypatch.setattr(store, "commit", commit_together)
    drawn = [system.pipeline.take(one) for one in system.pipeline.collect()]
    await asyncio.gather(*(system.pipeline.deliver(one) for one in drawn))
    waiting = system.pipeline.collect()
    assert [one.message.attributes["segue-step"] for one in waiting] == ["help[turn-2]"]


PARTS = ("help[turn-1]", "help[turn-1.call-0]", "help[turn-1.call-1]", "help[turn-2]")


async def to_the_message_of(system: System, part: str, stage: str) -> None:
    """Delivers until the message of a part is the next one."""
    while True:
        waiting = system.pipeline.collect()
        here = [one for one in waiting if one.message.attributes.get("segue-step") == part]
        if any(one.stage == stage for one in here):
            return
        rest = [one for one in waiting if one not in here or one.stage != stage]
        assert rest, f"there is no message of {part}"
        await system.pipeline.deliver(system.pipeline.take(rest[0]))


@pytest.mark.parametrize("counts_attempts", [True, False])
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("part", PARTS)
async def test_a_crash_at_any_point_repeats_nothing(
    part: str, point: Point, *, counts_attempts: bool
):
    asked = model(TWO, "All done.")
    system = System([agent()], model=asked, counts_attempts=counts_attempts)
    await system.publish(EVENT, {"n": 7})
    await to_the_message_of(system, part, "act" if "call" in part else "generate")
    await system.killed_at(point, part)
    await system.run()
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"said": "All done."})
    assert len(asked.calls) <= 3
    assert len(KEPT) == 1
    assert system.letters() == []


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_while_the_prompt_is_rendered_changes_nothing(point: Point):
    system = System([agent()], model=model("Hello."))
    await system.publish(EVENT, {"n": 7})
    await to_the_message_of(system, "help[turn-1]", "compose")
    await system.killed_at(point, "help[turn-1]")
    await system.run()
    assert (await system.report())["outputs"] == {"said": "Hello."}


async def test_a_duplicate_of_any_message_changes_nothing():
    asked = model(TWO, THEN, "All done.")
    system = System([agent()], model=asked)
    await system.start({"n": 7}, ce_id="e1")
    before = dict(system.world.documents.documents)
    for topic, _, message in list(system.world.messages.published):
        await system.send(topic, message.data, message.attributes)
        await system.run()
    assert len(asked.calls) == 3
    assert made() == {"look": 2, "book": 1}
    steps = {path: one for path, one in before.items() if "/steps/" in path}
    assert {path: system.world.documents.documents[path] for path in steps} == steps


async def test_a_report_tells_turns_and_calls_as_one_story():
    system = System([agent()], model=model(TWO, "All done."))
    await system.start({"n": 7})
    [run] = system.run_ids()
    report = await system.report()
    told = report["steps"]["help"]
    assert [turn["name"] for turn in told["turns"]] == ["help[turn-1]", "help[turn-2]"]
    [look, book] = told["turns"][0]["calls"]
    assert (look["tool"], look["args"], look["output"]) == ("look", {"n": 1}, {"twice": 2})
    assert book["status"] == "succeeded"
    assert told["tokens"] == report["totals"]["tokens"]
    assert told["llm_calls"] == report["totals"]["llm_calls"] == 2
    console = Console(width=200, record=True, file=StringIO())
    console.print(run_view(report))
    shown = console.export_text()
    [line] = [one for one in shown.splitlines() if "help[turn-1.call-1]" in one]
    assert "succeeded" in line
    assert line.split()[-1] == "book"
    assert "2 turns, 2 calls" in shown
    drawn = mermaid_of(with_run(graph_of(agent()), report))
    assert "tools look, book, send, pay" in drawn
    assert "2 turns, 2 calls" in drawn
    assert run in shown


async def test_an_agent_that_has_succeeded_is_undone_as_a_whole():
    undo = "compensate: {call: test.count, with: {name: undone, value: '{{ help.text }}'}}"
    broken = "bad: {needs: help, call: test.fail}"
    system = System([agent(f"tools: [look], {undo}", broken)], model=model(THEN, "Done."))
    await system.start({"n": 7})
    assert calls.SEEN["undone"] == 1


async def test_each_line_in_the_log_names_the_turn_or_the_call_and_its_tool():
    system = System([agent()], model=model(THEN, "Done."))
    await system.start({"n": 7})
    told = [
        (one.stage, one.labels["step"], one.labels.get("tool"))
        for one in system.world.telemetry.reports
        if "step" in one.labels
    ]
    assert told == [
        ("compose", "help[turn-1]", None),
        ("generate", "help[turn-1]", None),
        ("act", "help[turn-1.call-0]", "look"),
        ("generate", "help[turn-2]", None),
    ]
