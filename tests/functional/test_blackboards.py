"""The blackboard of a run: what one agent writes the others read, once for each call."""

from __future__ import annotations

import asyncio
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from shared.cli.views import run_view
from shared.delivery.agents import blackboard
from shared.domain.agents.blackboard import MAX_VALUE_BYTES, BoardEntry
from shared.testing.memory import ScriptedModel
from tests.functional.agents import HELPER, asks, script
from tests.functional.system import EVENT, System, flow, prompt
from tests.functional.test_agents import to_the_message_of

BOTH = "[blackboard_read, blackboard_write]"
OTHER = prompt("other", "Look.")


def system(help_says: Any, other_says: Any = ("Seen.",)) -> System:
    """Two agents, one after the other; the first has a persona."""
    steps = f"""
        help:
          agent: helper
          tools: {BOTH}
          hand_offs: {{clerk: {{agent: other, tools: {BOTH}}}}}
        other: {{agent: other, needs: help, tools: {BOTH}}}
        """
    says = {"helper": script(*help_says), "other": _by_step(help_says, other_says)}
    return System([flow(steps, HELPER, OTHER)], model=ScriptedModel(says))


def _by_step(help_says: Any, other_says: Any) -> Any:
    def said(request: Any) -> Any:
        is_other = request.labels["segue-step"].startswith("other")
        return script(*(other_says if is_other else help_says))(request)

    return said


def write(key: str, value: Any) -> tuple[str, dict[str, Any]]:
    return ("blackboard_write", {"key": key, "value": value})


def read(key: str | None = None) -> tuple[str, dict[str, Any]]:
    return ("blackboard_read", {} if key is None else {"key": key})


async def outputs(one: System, step: str, turn: int = 0) -> list[Any]:
    calls = (await one.report())["steps"][step]["turns"][turn]["calls"]
    return [call["output"] for call in calls]


async def test_what_an_agent_writes_the_others_of_the_run_read():
    one = system(
        (
            asks(write("plan", {"a": [1, [2]]}), write("note", "long" * 300)),
            asks(("hand_off_to_clerk", {"reason": "x"})),
            asks(write("plan", "new")),
            "Done.",
        ),
        (asks(read("plan"), read(), read("none")), "Seen."),
    )
    await one.start({"n": 1})
    plan, all_of_it, none = await outputs(one, "other")
    assert (plan["entry"]["value"], plan["entry"]["by"]) == ("new", "help/clerk")
    assert {key: sorted(entry) for key, entry in all_of_it["entries"].items()} == {
        "note": ["at", "by", "bytes"],
        "plan": ["at", "by", "value"],
    }
    assert none == {"entry": None}
    report = await one.report()
    assert report["blackboard"]["note"]["by"] == "help"
    assert report["blackboard"]["plan"]["value"] == "new"
    console = Console(width=200, record=True, file=StringIO())
    console.print(run_view(report))
    assert 'blackboard plan = "new" by help/clerk' in console.export_text()


async def test_another_run_has_another_blackboard():
    one = system((asks(write("a", 1)), "Done."), (asks(read()), "Seen."))
    await one.start({"n": 1})
    await one.start({"n": 2})
    paths = [path for path in one.world.documents.documents if "/blackboard/" in path]
    assert sorted(paths) == sorted(f"runs/{run}/blackboard/a" for run in one.run_ids())


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        (write("a/b", 1), "ToolArguments", "key: String should match"),
        (write("a", "x" * MAX_VALUE_BYTES), "ToolArguments", "the limit is 16,384"),
        (("blackboard_write", {"key": "a"}), "ToolArguments", "value: Field required"),
        (("blackboard_read", {"kay": "a"}), "ToolArguments", "kay: Extra inputs"),
    ],
)
async def test_what_cannot_be_written_is_told_to_the_model(call: Any, code: str, words: str):
    one = system((asks(call), "Done."))
    await one.start({"n": 1})
    [told] = await outputs(one, "help")
    assert (told["error"]["code"], "blackboard" in await one.report()) == (code, False)
    assert words in told["error"]["message"]


async def test_a_full_blackboard_takes_nothing_new(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(blackboard, "MAX_ENTRIES", 2)
    one = system((asks(write("a", 1), write("b", 1)), asks(write("c", 1), write("b", 2)), "Done."))
    await one.start({"n": 1})
    more, again = await outputs(one, "help", 1)
    assert (more["error"]["code"], again) == ("ToolRefusal", {"written": "b"})


async def test_a_call_that_is_repeated_does_not_write_over_what_came_after_it():
    one = system((asks(write("a", "first"), write("a", "second")), "Done."))
    await one.publish(EVENT, {"n": 1})
    await to_the_message_of(one, "help[turn-1.call-0]", "act")
    await one.killed_at("worked", "help[turn-1.call-0]")
    [run] = one.run_ids()
    assert [entry.value for entry in one.stored(f"runs/{run}/blackboard", BoardEntry)] == ["first"]
    second = [waiting for waiting in one.pipeline.collect() if "call-1" in str(waiting)]
    await one.pipeline.deliver(one.pipeline.take(second[0]))
    await one.run()
    [entry] = one.stored(f"runs/{run}/blackboard", BoardEntry)
    calls = ("help[turn-1.call-0]", "help[turn-1.call-1]")
    assert (entry.value, entry.calls) == ("second", calls)
    assert (await one.report())["status"] == "succeeded"


async def test_calls_that_write_at_once_are_both_kept():
    one = system((asks(write("a", 1), write("a", 2), write("b", 3)), "Done."))
    await one.publish(EVENT, {"n": 1})
    await to_the_message_of(one, "help[turn-1.call-0]", "act")
    drawn = [one.pipeline.take(waiting) for waiting in one.pipeline.collect()]
    await asyncio.gather(*(one.pipeline.deliver(waiting) for waiting in drawn))
    await one.run()
    assert sorted((await one.report())["blackboard"]) == ["a", "b"]
