"""The test kit for typed flows: a run in memory, over the real stages."""

from __future__ import annotations

import pytest

from functions.act.flows.joke import JokeFlow, JokeRequested, JokeTold, JokeWritten
from shared.errors import ModelRefusedError
from shared.prompting.source import SourceProblems
from shared.testing.play import play
from shared.typed import Flow, step
from shared.typed.calling import registered_flows
from tests.functional.system import library
from tests.functional.typed_flows import (
    Choosing,
    Cut,
    Kept,
    Looked,
    NoAnswer,
    Question,
    Sorted,
    Sorting,
    Tally,
    Texts,
)


async def test_a_flow_is_played_to_its_stop_event():
    answers = {"joke/write": "Ha.", "joke/critique": "Meh."}
    played = await play(JokeFlow, JokeRequested(topic="tea"), answers=answers)
    assert played.stop == JokeTold(joke="Ha.", critique="Meh.")
    assert played.given("write") == JokeWritten(text="Ha.")
    assert played.asked[0].messages[0][1].endswith("joke about tea.")
    assert played.record["totals"]["llm_calls"] == 2
    assert (played.status, played.error, played.state) == ("succeeded", None, None)


async def test_what_the_run_leaves_can_be_looked_at():
    played = await play(Sorting, Texts(texts=["a", "bbbb"]), seed=3)
    assert isinstance(played.stop, Sorted)
    assert played.state == Tally(seen=["*", "a", "bbbb"], counts={"split": 1, "keep": 1, "cut": 1})
    assert played.emitted(Looked) == [Looked(text="a", size=1), Looked(text="bbbb", size=4)]
    assert played.given("keep") == [Kept(text="a")]
    assert played.given("cut") == [Cut(text="bbb")]


async def test_a_step_that_gave_nothing_and_one_that_did_not_run():
    played = await play(Choosing, Question(n=400))
    assert played.given("even") is None
    assert played.given("odd") is None
    assert (await play(Choosing, Question(n=0))).stop == NoAnswer(n=0)


async def test_a_run_that_fails_tells_why():
    played = await play(
        JokeFlow, JokeRequested(topic="tea"), answers={"joke/write": ModelRefusedError("no jokes")}
    )
    assert played.status == "failed"
    assert played.error is not None
    assert (played.error.code, played.error.step) == ("ModelRefused", "write")
    with pytest.raises(AssertionError, match="no jokes"):
        _ = played.stop


async def test_a_flow_without_its_prompts_is_refused():
    with pytest.raises(SourceProblems, match="there is no prompt 'joke/write'"):
        await play(JokeFlow, JokeRequested(topic="tea"), prompts=library())


async def test_a_flow_of_the_same_name_is_played_and_forgotten():
    class Rival(Flow[Question, NoAnswer]):
        name, on = "joke-typed", "question.*"

        @step
        async def write(self, asked: Question) -> NoAnswer:
            return NoAnswer(n=asked.n)

    assert (await play(Rival, Question(n=7))).stop == NoAnswer(n=7)
    assert registered_flows()["joke-typed"] is JokeFlow
