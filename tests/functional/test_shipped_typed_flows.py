"""The typed flows that Segue comes with, played in memory."""

from __future__ import annotations

from functions.act.flows.best_joke import (
    BestJoke,
    BestJokeTold,
    JokesRequested,
    NothingFunny,
    Rated,
    Readings,
)
from shared.domain.envelope import ModelRequest
from shared.errors import ModelRefusedError, SegueError
from shared.testing.play import play

LINES = {"cats": "Cats do not laugh.", "dogs": "Dogs laugh at everything, all day long."}


def about(request: ModelRequest) -> str | SegueError:
    """A joke about what is asked for, if there is one."""
    found = [line for topic, line in LINES.items() if topic in request.messages[0][1]]
    return found[0] if found else ModelRefusedError("nothing funny about it")


async def test_the_best_joke_is_the_shortest():
    asked = JokesRequested(topics=["dogs", "cats", "dogs"])
    played = await play(BestJoke, asked, answers={"joke/write": about})
    assert played.stop == BestJokeTold(joke=LINES["cats"], others=1, words_read=11)
    assert played.state == Readings(words=11)
    assert {one.text for one in played.emitted(Rated)} == set(LINES.values())
    assert len(played.asked) == 2


async def test_topics_without_a_joke_are_left_out():
    asked = JokesRequested(topics=["taxes", "cats"])
    played = await play(BestJoke, asked, answers={"joke/write": about})
    assert played.stop == BestJokeTold(joke=LINES["cats"], others=0, words_read=4)
    assert played.record["steps"]["write"]["summary"] == {"size": 2, "succeeded": 1, "failed": 1}


async def test_where_nothing_is_funny_the_run_says_so():
    asked = JokesRequested(topics=["dogs"], most_words=2)
    played = await play(BestJoke, asked, answers={"joke/write": about})
    assert played.stop == NothingFunny(words_read=7)
    assert played.record["outputs"] == {
        "event": "NothingFunny",
        "joke": None,
        "others": None,
        "words_read": 7,
    }
