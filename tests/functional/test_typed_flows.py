"""Typed flows run as their compiled graphs say: unions, lists, joins, prompts, and what fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.delivery.crashpoints import Point
from shared.domain.envelope import ModelRequest
from shared.domain.version import FlowVersion
from shared.testing.memory import ScriptedModel
from shared.typed import Event, Flow, Retry, StartEvent, StopEvent, step
from tests.functional import typed_flows
from tests.functional.system import SAY, System, prompt, shipped
from tests.functional.typed_flows import CALLED, Choosing, Sorting, typed

TEXTS = {"texts": ["a", "bb", "cccccc", "dddd"]}


async def ran(flow: FlowVersion, data: object, **about: Any) -> dict[str, Any]:
    """The report of a flow's run."""
    system = System([flow], **about)
    await system.start(data, flow.flow.on.event)
    return await system.report()


@pytest.mark.parametrize(
    ("n", "outputs", "skipped"),
    [
        (0, {"event": "NoAnswer", "n": 0, "text": None}, {"even", "odd", "answer"}),
        (3, {"event": "Answer", "n": None, "text": "3 is odd and weighs 30"}, {"even"}),
        (4, {"event": "Answer", "n": None, "text": "4 is even and weighs 40"}, {"odd"}),
        (400, {"event": None, "n": None, "text": None}, {"odd", "answer"}),
    ],
)
async def test_a_run_goes_the_way_of_the_event_that_was_given(
    n: int, outputs: dict, skipped: set[str]
):
    report = await ran(typed(Choosing), {"n": n})
    assert report["status"] == "succeeded"
    assert report["outputs"] == outputs
    assert {name for name, one in report["steps"].items() if one["status"] == "skipped"} == skipped


@pytest.mark.parametrize("seed", range(5))
async def test_a_list_fans_out_and_is_joined_in_order(seed: int):
    report = await ran(typed(Sorting), TEXTS, seed=seed)
    assert report["outputs"]["texts"] == ["a", "bb", "ccc", "ddd"]
    assert [item["output"] for item in report["steps"]["cut"]["items"]] == [
        {"event": "Cut", "text": "ccc"},
        {"event": "Cut", "text": "ddd"},
    ]


async def test_nothing_to_fan_out_is_joined_all_the_same():
    report = await ran(typed(Sorting), {"texts": []})
    assert report["status"] == "succeeded"
    assert report["outputs"]["texts"] == []


async def test_data_that_is_no_start_event_is_refused_before_anything_runs():
    report = await ran(typed(Sorting), {"texts": "none"})
    assert (report["status"], report["error"]["code"]) == ("failed", "InputInvalid")
    assert set(CALLED) == set()


async def test_the_twin_of_a_flow_file_leaves_the_same_record():
    reports = {}
    for name, event in (("joke", "joke.requested"), ("joke-typed", "joke.typed.requested")):
        model = ScriptedModel({"joke/write": "Ha.", "joke/critique": "Meh."})
        system = System(shipped(), model=model)
        await system.start({"topic": "pirates"}, event, ce_id="j1", correlationid="c1")
        assert [run.split("-")[0] for run in system.run_ids()] == ["joke"]
        report = await system.report()
        own = {"run_id", "flow", "flow_version", "event"}
        asked = [(call.messages, call.parameters, call.model) for call in model.calls]
        reports[name] = ({k: v for k, v in report.items() if k not in own}, asked)
    assert reports["joke"] == reports["joke-typed"]


async def test_what_the_twin_refuses_its_flow_file_refuses():
    for event in ("joke.requested", "joke.typed.requested"):
        for topic in ("", "x" * 201, 7, None):
            system = System(shipped())
            await system.start({"topic": topic}, event)
            assert (await system.report())["error"]["code"] == "InputInvalid"


class Drafted(Event):
    text: str


class Scored(Event):
    score: int


class Best(StopEvent):
    text: str


class Brief(StartEvent):
    angles: list[str]


class Angle(Event):
    text: str


class Drafting(Flow[Brief, Best]):
    """Methods and prompts in turns."""

    name, on = "drafting", "brief.written"

    @step
    async def plan(self, brief: Brief) -> list[Angle]:
        return [Angle(text=angle) for angle in brief.angles]

    @step(prompt="say", tolerate=1, max_parallel=2)
    async def draft(self, angle: Angle) -> Drafted:
        """Asks a model for each angle."""

    @step(retry=Retry(attempts=2), fallback=Best(text="nothing"))
    def choose(self, drafts: list[Drafted]) -> Best:
        typed_flows._called("choose")
        return Best(text=max(draft.text for draft in drafts))


async def test_models_and_methods_take_turns():
    report = await ran(typed(Drafting, SAY), {"angles": ["x", "z", "y"]})
    assert report["outputs"] == {"text": "draft[2](y)"}
    assert report["totals"]["llm_calls"] == 3


async def test_a_method_that_fails_is_tried_again_and_has_its_fallback():
    typed_flows.BROKEN.add("choose")
    report = await ran(typed(Drafting, SAY), {"angles": ["x"]})
    assert CALLED["choose"] == 2
    assert report["outputs"] == {"text": "nothing"}
    assert report["steps"]["choose"]["fallback"] is True


async def test_a_method_that_fails_for_good_fails_its_run():
    typed_flows.BROKEN.add("choose")
    report = await ran(typed(Choosing), {"n": 1})
    assert (report["error"]["code"], report["error"]["step"]) == ("ActionFailed", "choose")
    assert "Choosing" not in json.dumps(report["outputs"])


LINES = prompt(
    "lines",
    "{{ topic }}",
    output={
        "type": "array",
        "items": {"type": "object", "required": ["text"], "properties": {"text": {}}},
    },
)


class Asked(StartEvent):
    topic: str
    short: bool = False


class Short(Event):
    text: str


class Full(Event):
    topic: str


class Titled(Event):
    text: str


def echoing_text(request: ModelRequest) -> str:
    return f"{request.messages[0][1]}!"


class Poem(Flow[Asked, Best]):
    """A model gives a list, and stands beside a method that gives another event."""

    name, on = "poem", "poem.asked"

    @step
    async def decide(self, asked: Asked) -> Short | Full:
        return Short(text="short") if asked.short else Full(topic=asked.topic)

    @step(prompt="lines")
    async def write(self, full: Full) -> list[Angle]:
        """Asks for lines."""

    @step(prompt="say")
    async def polish(self, line: Angle) -> Drafted:
        """Asks for each line."""

    @step(prompt="say", arguments={"text": "{{ decide.topic }}"})
    async def title(self, full: Full) -> Titled:
        """Asks for a title."""

    @step
    async def bind(self, found: Short | Titled, lines: list[Drafted]) -> Best:
        return Best(text=f"{type(found).__name__} {found.text}: {[line.text for line in lines]}")

    @step
    async def give_up(self, brief: Short) -> None:
        CALLED["give up"] += 1


async def test_a_models_list_fans_out_and_its_answer_stands_beside_an_event():
    model = ScriptedModel(
        {"lines": [[{"text": "roses"}, {"text": "violets"}]], "say": echoing_text}
    )
    report = await ran(typed(Poem, LINES, SAY), {"topic": "love"}, model=model)
    assert report["outputs"] == {"text": "Titled love!: ['roses!', 'violets!']"}


async def test_a_branch_that_is_not_taken_takes_what_needs_it_along():
    report = await ran(typed(Poem, LINES, SAY), {"topic": "love", "short": True})
    assert report["outputs"] == {"text": None}
    assert report["steps"]["bind"]["status"] == "skipped"
    assert CALLED["give up"] == 1


@pytest.mark.parametrize("point", ["claimed", "worked", "committed", "emitted"])
async def test_a_crash_at_any_point_changes_nothing(point: Point):
    system = System([typed(Choosing)])
    await system.publish(Choosing.on, {"n": 3})
    await system.pipeline.step("route")
    await system.killed_at(point, "choose")
    await system.run()
    report = await system.report()
    assert report["outputs"]["text"] == "3 is odd and weighs 30"
    assert CALLED["choose"] == (1 if point in {"claimed", "committed", "emitted"} else 2)
    assert report["steps"]["odd"]["attempts"] == 1
