"""A method gets events and gives events, whatever is in the messages; else its step fails."""

from __future__ import annotations

from typing import Any

import pytest

from shared.calls import invoke
from shared.errors import ActionFailedError, ActionInvalidError, EffectUnavailableError
from shared.typed import Context, Flow, step
from shared.typed.calling import registered_meanwhile
from tests.unit.typed.vocabulary import A, Ask, B, C, Done

RETURNED: list[Any] = []


class Called(Flow[Ask, Done]):
    name, on = "called", "asked"

    @step
    async def one(self, ask: Ask) -> A | C | None:
        [returned] = RETURNED
        if isinstance(returned, Exception):
            raise returned
        found: A | C | None = returned
        return found

    @step
    def split(self, ask: Ask) -> list[B]:
        [returned] = RETURNED
        found: list[B] = returned
        return found

    @step
    def each(self, b: B) -> None:
        """Gives nothing."""

    @step
    async def end(self, found: A | C, bs: list[B]) -> Done:
        return Done(text=f"{found!r} {bs!r}")

    @step
    async def state(self, ask: Ask, ctx: Context) -> None:  # type: ignore[type-arg]
        """Wants to know its run."""


async def call(step: str, **arguments: Any) -> Any:
    with registered_meanwhile(Called):
        return await invoke(f"called.{step}", arguments)


async def returning(value: Any, step: str = "one") -> Any:
    RETURNED[:] = [value]
    return await call(step, ask={"n": 1})


async def test_an_event_is_written_with_its_name():
    assert await returning(A(text="x")) == {"event": "A", "text": "x"}
    assert await returning(C()) == {"event": "C", "other": "c"}
    assert await returning(None) == {"event": None}
    assert await returning([B(text="b"), B(text="c", size=1)], "split") == [
        {"event": "B", "text": "b", "size": 0},
        {"event": "B", "text": "c", "size": 1},
    ]
    assert await call("each", b={"event": "B", "text": "b"}) == {"event": None}


async def test_events_are_read_by_their_names():
    found = await call("end", found={"event": "C", "text": "x", "new": 1}, bs=[{"text": "b"}])
    assert found["text"] == "C(other='c') [B(text='b', size=0)]"


class Subclass(A):
    """No event that the step says it gives."""


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("text", "gives str, and says A or C"),
        (Subclass(text="x"), "gives Subclass, and says A or C"),
        (B(text="b"), "gives B, and says A or C"),
        (A.model_construct(text=5), "step 'one' gives 1 validation error for A"),
        (ValueError("no"), "called.one raised ValueError: no"),
    ],
)
async def test_what_a_step_does_not_say_it_gives_fails_it(value: Any, told: str):
    with pytest.raises(ActionFailedError, match=told):
        await returning(value)


async def test_a_list_is_a_list_of_what_the_step_says():
    with pytest.raises(ActionFailedError, match="gives B, and says a list of B"):
        await returning(B(text="b"), "split")
    with pytest.raises(ActionFailedError, match="gives A, and says a list of B"):
        await returning([A(text="a")], "split")


async def test_a_number_that_json_lacks_is_not_made_null():
    class Heavy(A):
        grams: float

    from shared.typed.events import written  # noqa: PLC0415 - beside what it is about

    assert written(Heavy(text="x", grams=1.5))["grams"] == 1.5
    assert written(Heavy(text="x", grams=float("nan")))["grams"] is not None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"found": {"event": "C"}, "bs": {}}, "'bs' is to be a list, and is a dict"),
        ({"found": {"event": "B"}, "bs": []}, "this is to be A or C, and is B"),
        ({"found": {"event": "A"}, "bs": []}, "takes A: text: Field required"),
        ({"found": {"event": "C"}, "bs": [{"size": "x", "text": ""}]}, "takes B: size: Input"),
        ({"bs": []}, "this is to be A or C, and is none of them"),
    ],
)
async def test_arguments_that_are_no_such_events_are_refused(arguments: dict, told: str):
    with pytest.raises(ActionInvalidError, match=told):
        await call("end", **arguments)


async def test_an_error_of_segue_goes_through():
    with pytest.raises(EffectUnavailableError):
        await returning(EffectUnavailableError("later"))


async def test_a_method_with_a_context_is_called_by_its_step_alone():
    with pytest.raises(ActionFailedError, match="called by its step alone"):
        await call("state", ask={"n": 1})
