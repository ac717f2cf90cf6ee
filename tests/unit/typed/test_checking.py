"""What makes no sense is said when the class is made: all of it, with file, line and remedy."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from shared.typed import (
    Context,
    Event,
    Fallback,
    Flow,
    FlowInvalidError,
    ProgressEvent,
    StartEvent,
    step,
)
from tests.unit.typed.vocabulary import A, Ask, B, C, Done, Gone

if TYPE_CHECKING:
    from decimal import Decimal


class Other(StartEvent):
    n: int


class Tick(ProgressEvent):
    n: int


class Named(Event):
    event: str


class State(BaseModel):
    n: int = 0


class Needy(BaseModel):
    n: int


def first(self, ask: Ask) -> A: ...
def last(self, a: A) -> Done: ...


def complaints(*methods: Callable[..., Any], **more: Any) -> list[str]:
    """What is said of a flow of these methods, which are steps unless they are decorated already;
    each with the name of the method on whose first line it is.
    """
    steps = {
        one.__name__: one if hasattr(one, "__segue_step__") else step(one)  # type: ignore[call-overload]
        for one in methods
    }
    lines = {inspect.unwrap(one).__code__.co_firstlineno: name for name, one in steps.items()}
    with pytest.raises(FlowInvalidError) as caught:
        type("Broken", (Flow,), {"name": "broken", "on": "asked", **steps, **more})
    told = []
    for problem in caught.value.problems:
        assert problem.file == "tests/unit/typed/test_checking.py"
        told.append(problem.message)
        if problem.message.startswith("step "):
            assert lines[problem.line] == problem.message.split("'")[1]
    return told


def test_a_step_without_annotations():
    def bare(self, a): ...

    no_return, no_event = complaints(first, bare, last)
    some = "an Event, a union or a list of some, or"
    assert no_return == f"step 'bare': no return annotation; it is {some} None"
    assert no_event == f"step 'bare': parameter 'a' has no annotation; it is {some} a Context"


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        (int, "parameter 'a' is int; it is to be an Event"),
        (A | int, "parameter 'a' is "),
        (list[int], "parameter 'a' is int; it is to be"),
        (list[A] | B, "a list or something else: one of the two"),
        (list[list[A]], "parameter 'a' is "),
        (A | None, "parameter 'a' may be None; a step waits for what it takes"),
        (Done, "parameter 'a' takes Done, which ends the run"),
        (Ask | A, "takes the StartEvent with others; give it one of its own"),
        (list[Ask], "takes the StartEvent with others"),
        (Tick, "Tick is a ProgressEvent; tell it with `ctx.emit`"),
        (Named, "Named has a field 'event', which says its name; rename"),
        (Context[int], "the state int is no pydantic model; make it one"),
        (Context[Needy], "the state Needy has to begin somewhere: give all defaults"),
    ],
)
def test_a_parameter_that_is_no_event(hint: Any, told: str):
    def odd(self, ask: Ask, a) -> None: ...

    odd.__annotations__["a"] = hint
    [message] = complaints(first, odd, last)
    assert message.startswith("step 'odd': ")
    assert told in message


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        (str, "it returns str; it is to return an Event"),
        (Ask, "it returns a StartEvent: a flow is started from outside"),
        (list[Done], "it returns a list of StopEvents: a run ends once; return one of them"),
    ],
)
def test_a_return_value_that_is_no_event(hint: Any, told: str):
    def odd(self, ask: Ask): ...

    odd.__annotations__["return"] = hint
    [message] = complaints(first, odd, last)
    assert told in message


def test_names_that_are_not_there():
    def odd(self, ask: Ask) -> Decimal: ...
    def any_number(self, *asks: Ask) -> None: ...
    def twice(self, ask: Ask, one: Context[State], two: Context[State]) -> None: ...

    told = complaints(first, odd, any_number, twice, last)
    assert "'Decimal' is not defined; define it above the flow" in told[0]
    assert "parameter 'asks' takes anything; name each event" in told[1]
    assert "one Context is enough" in told[2]


def test_a_class_that_says_too_little_says_all_of_it_at_once():
    with pytest.raises(FlowInvalidError) as caught:

        class Nothing(Flow[Ask, Done]):
            """Says nothing."""

    assert [problem.message.partition(":")[0] for problem in caught.value.problems] == [
        "a flow has a name",
        "a flow has steps",
        "a flow is started by an event",
    ]
    source, start = inspect.getsourcelines(test_a_class_that_says_too_little_says_all_of_it_at_once)
    [offset] = [n for n, line in enumerate(source) if line.strip().startswith("class")]
    assert {problem.line for problem in caught.value.problems} == {start + offset}
    assert "test_checking.py:" in str(caught.value)
    assert str(caught.value).endswith("annotations of `@step` methods are the flow's graph.")


@pytest.mark.parametrize("name", ["", "Joke", "joke_one", 5])
def test_a_name_that_no_flow_can_have(name: Any):
    [told] = complaints(first, last, name=name)
    assert told.startswith("a flow has a name")


def test_a_step_that_hides_what_expressions_see():
    def run(self, ask: Ask) -> None: ...

    assert complaints(first, last, run) == ["step 'run': expressions have another 'run'; rename"]


def test_events_that_nobody_gives_or_takes_are_told_together():
    def takes(self, b: B) -> None: ...
    def gives(self, ask: Ask) -> C: ...
    def idle(self) -> None: ...

    assert complaints(first, takes, gives, idle, last) == [
        "step 'takes': no step gives B, which it takes",
        "step 'gives': no step takes C, which it gives",
        "step 'idle': it takes no event, so nothing would start it",
    ]


def test_a_flow_without_a_beginning_or_an_end():
    def only(self, ask: Ask) -> None: ...
    def other(self, other: Other) -> None: ...

    told = complaints(only, other)
    assert "steps take Ask and Other; a flow is started with one StartEvent" in told
    assert "no step gives a StopEvent; let the last one give it" in told
    assert "no step takes a StartEvent; let the first ones take it" in complaints(last)


def test_a_loop_is_told_with_the_way_it_takes():
    def review(self, a: A) -> B | Done: ...
    def write(self, ask: Ask, c: C) -> A: ...
    def improve(self, b: B) -> C: ...

    [told] = complaints(review, write, improve)
    assert told.startswith(
        "step 'review': its event leads back to it, review → improve → write → review; a step runs"
        " once in a run"
    )


def test_what_lies_behind_what_never_runs_is_unreachable():
    def takes(self, b: B) -> C: ...
    def behind(self, c: C) -> None: ...

    assert complaints(first, last, takes, behind) == [
        "step 'takes': no step gives B, which it takes",
        "step 'behind': it is unreachable: what gives C never runs",
    ]


def test_an_event_from_two_that_may_both_give_it():
    def one(self, ask: Ask) -> A: ...
    def two(self, ask: Ask) -> A | B: ...
    def three(self, b: B) -> None: ...

    [told] = complaints(one, two, three, last)
    assert told.startswith(
        "step 'last': 'a' of it gets A from one and two, which may both give it, and a step runs"
        " once in a run; take list[A] to get all of them"
    )


def test_two_ends_that_may_both_be_reached():
    def other(self, ask: Ask) -> Gone: ...

    [told] = complaints(first, last, other)
    assert "the run ends with Done or Gone from last and other, which may both give it" in told


def test_lists_that_do_not_go_together():
    def split(self, ask: Ask) -> list[A]: ...
    def parts(self, ask: Ask) -> list[B]: ...
    def cross(self, a: A, b: B) -> None: ...
    def again(self, a: A) -> list[C]: ...
    def collect(self, cs: list[C]) -> Done: ...
    def ends(self, a: A) -> Gone: ...

    told = complaints(split, parts, cross, again, collect, ends)
    assert "step 'cross': a and b come from lists; take one of them as list[...]" in told
    assert "step 'again': it runs for each item of a list: it gives one event for each" in told
    assert "step 'ends': it runs for each item of a list and gives Gone; collect" in told


def test_an_event_that_comes_once_and_often():
    def split(self, ask: Ask) -> list[A]: ...

    [told] = complaints(first, split, last)[:1]
    assert told.startswith("step 'last': 'a' gets A once from one step and often from another")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_parallel": 3}, "`max_parallel` is for a step that runs for each item"),
        ({"tolerate": 1}, "`tolerate` is for a step that runs for each item"),
        ({"finish": True}, "`finish` is for a step that gives nothing but a StopEvent"),
        ({"on_error": "goto"}, "`on_error` is 'fail' or 'continue'"),
        ({"fallback": C()}, "its fallback C is no event that it gives"),
        ({"fallback": Fallback(step="last")}, "a fallback is an event, or another prompt or model"),
        ({"fallback": Fallback(model="m")}, "it asks no model; its fallback is an event"),
        ({"arguments": {"x": 1}}, "`arguments` are for a prompt; a method gets its events"),
        ({"outputs": {"x": 1}}, "`outputs` are for the one step that gives the one StopEvent"),
    ],
)
def test_options_that_do_not_fit_the_step(options: dict[str, Any], told: str):
    @step(**options)
    def middle(self, a: A) -> B: ...
    def end(self, b: B) -> Done: ...

    assert f"step 'middle': {told}" in complaints(first, middle, end)


@pytest.mark.parametrize(
    ("outputs", "told"),
    [({}, "its `outputs` lack text"), ({"text": "", "x": ""}, "its `outputs` have x")],
)
def test_outputs_that_are_not_those_of_the_stop_event(outputs: dict[str, Any], told: str):
    @step(prompt="p", outputs=outputs)
    def end(self, a: A) -> Done: ...

    [message] = complaints(first, end)
    assert told in message


def test_a_prompt_gives_one_event_and_has_no_context():
    @step(prompt="p")
    def ask(self, a: A, c: C, b: B, ctx: Context[State]) -> Done | None: ...
    def second(self, ask: Ask) -> C: ...
    def third(self, ask: Ask) -> B: ...

    told = complaints(first, second, third, ask)
    assert "step 'ask': a model's answer is one event; let a method choose between some" in told
    assert "step 'ask': its method is never run, so it has no use for a Context" in told
    assert "step 'ask': two of its events have 'text'; say which in `arguments`" in told


def test_one_run_has_one_state():
    class Another(BaseModel):
        n: int = 0

    def one(self, ask: Ask, ctx: Context[State]) -> A: ...
    def two(self, a: A, ctx: Context[Any]) -> B: ...
    def three(self, b: B, ctx) -> Done: ...

    three.__annotations__ |= {"ctx": Context[Another]}
    [told] = complaints(one, two, three)
    assert told == "step 'three': its state is Another, and that of one is State; a run has one"


def test_two_events_of_one_name():
    def odd(self, ask: Ask) -> None: ...

    odd.__annotations__["return"] = type("A", (Event,), {"__module__": __name__})
    told = complaints(first, odd, last)
    assert "step 'odd': there is another event A; rename one" in told


def test_a_class_that_says_to_be_what_its_steps_do_not_make_it():
    with pytest.raises(FlowInvalidError, match=r"its steps make it a Flow\[Ask, Done\]; say so"):

        class Lying(Flow[Other, Done]):
            name, on = "lying", "asked"
            one = step(first)
            two = step(last)


def test_a_sound_flow_has_no_complaints():
    class Sound(Flow[Ask, Done | Gone]):
        name, on = "sound", "asked"

        @step
        def choose(self, ask: Ask) -> A | B | Gone: ...

        @step
        def a(self, a: A, ctx: Context[State]) -> C: ...

        @step
        def b(self, b: B) -> C: ...

        @step
        def last(self, c: C) -> Done: ...

    assert Sound.shape.start is Ask
    assert Sound.shape.stops == (Gone, Done)
    assert Sound.shape.state is State
