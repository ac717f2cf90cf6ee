"""From annotations to the declared graph: steps that ask a model, and what is not a step."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field

from shared.prompting.source import read_yaml
from shared.typed import (
    Backoff,
    Context,
    Fallback,
    Flow,
    Retry,
    StartEvent,
    step,
)
from shared.typed.compile import declaration, flow_text
from tests.unit.typed.vocabulary import A, Ask, B, C, Done, says, steps_of


def test_a_prompt_gets_the_fields_of_its_events_and_what_it_answers_is_the_event():
    class Asked(Flow[Ask, Done]):
        name, on = "asked", "asked"

        @step(prompt="p/write", timeout=90, retry=Retry(attempts=4, backoff=Backoff(initial=5)))
        async def write(self, ask: Ask) -> A:
            """Asks."""

        @step(prompt="p/judge", arguments={"it": "{{ write.text }}"}, fallback=Fallback(model="m"))
        async def judge(self, a: A) -> B:
            """Asks again."""

        @step(prompt="p/end", outputs={"text": "{{ write.text }}"}, fallback=Done(text="sorry"))
        async def end(self, a: A, b: list[B]) -> Done:
            """Asks at last."""

    says(
        Asked,
        r"""
        write:
          prompt: p/write
          with:
            n: "{{ event.data.n }}"
            style: '{{ event.data.style | default("plain \"old\"") }}'
          timeout: 90s
          retry: {attempts: 4, backoff: {initial: 5s}}
        judge:
          needs: write
          prompt: p/judge
          with: {it: "{{ write.text }}"}
          fallback: {model: m}
        end:
          needs: [write, judge]
          prompt: p/end
          with: {text: "{{ write.text }}", b: "{{ [judge] }}"}
          fallback: {value: {text: sorry}}
        """,
    )
    assert declaration(Asked.shape)["outputs"] == {"text": "{{ write.text }}"}


def test_a_prompt_among_several_givers_is_told_by_name():
    class Mixed(Flow[Ask, Done]):
        name, on = "mixed", "asked"

        @step
        async def choose(self, ask: Ask) -> A | C: ...

        @step(prompt="p")
        async def write(self, c: C) -> B:
            """Asks."""

        @step
        async def last(self, found: A | B) -> Done: ...

    last = steps_of(Mixed)["last"]
    assert last["needs"] == ["choose", "write"]
    assert last["when"] == 'choose.event == "A" or write is defined'
    assert last["with"] == {
        "found": '{{ choose if choose.event == "A" else dict(write, event="B") }}'
    }


class Line(BaseModel):
    title: str
    price: float = Field(ge=0)


class Order(StartEvent):
    """What is ordered."""

    title: str
    lines: list[Line]
    note: dict[str, str] = {"title": "none"}


class State(BaseModel):
    n: int = 0


def test_the_start_event_is_the_flows_input_and_the_class_says_the_rest():
    class Full(Flow[Order, Done]):
        """What the flow is
        for.

        This is not part of it.
        """

        name = "full"
        on = "order.*"
        where = "event.data.lines | length > 0"
        timeout = 600

        @step
        async def end(self, ctx: Context[State], order: Order) -> Done: ...

    declared = declaration(Full.shape)
    assert declared["description"] == "What the flow is for."
    assert declared["on"] == {"event": "order.*", "where": "event.data.lines | length > 0"}
    assert declared["timeout"] == "600s"
    assert declared["steps"] == {"end": {"call": "full.end", "with": {"order": "{{ event.data }}"}}}
    assert declared["input"]["description"] == "What is ordered."
    assert declared["input"]["properties"]["title"] == {"type": "string"}
    assert declared["input"]["properties"]["note"]["default"] == {"title": "none"}
    line = declared["input"]["$defs"]["Line"]
    assert line["properties"] == {
        "title": {"type": "string"},
        "price": {"type": "number", "minimum": 0},
    }
    assert line["required"] == ["title", "price"]


def test_a_flow_inherits_steps_and_may_replace_them():
    class Plain(Flow[Ask, Done]):
        name, on = "plain", "asked"

        @step
        async def first(self, ask: Ask) -> A: ...

        @step
        async def last(self, a: A) -> Done: ...

    class Careful(Plain):
        name = "careful"

        @step(timeout="5s")
        async def first(self, ask: Ask) -> A: ...

    assert list(steps_of(Careful)) == ["first", "last"]
    assert steps_of(Careful)["first"]["timeout"] == "5s"
    assert "timeout" not in steps_of(Plain)["first"]


@pytest.mark.parametrize("word", ["on", "yes", "null", "1", "2026-01-01", "a: b", "{{ x }}", "ö"])
def test_the_text_is_read_back_as_it_was_meant(word: str):
    class Said(Flow[Ask, Done]):
        name, on = "said", "asked"

        @step(prompt="p", outputs={"text": word}, arguments={"word": word, "on": True, "n": None})
        async def say(self, ask: Ask) -> Done:
            """Asks."""

    data = read_yaml(flow_text(Said.shape), "said.yaml").data
    assert data == declaration(Said.shape)
    assert flow_text(Said.shape) == flow_text(Said.shape)
