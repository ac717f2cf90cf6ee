"""The best of several jokes: a fan-out to a model, a method that rates what comes back, a choice.

An example of a list, a union, a state that steps in parallel edit, and progress on the way.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from shared.typed import Context, Event, Flow, ProgressEvent, StartEvent, StopEvent, step


class JokesRequested(StartEvent):
    """Somebody wants the best joke there is about one of these topics."""

    topics: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        min_length=1, max_length=20
    )
    most_words: int = Field(60, ge=1, description="What is longer is nobody's best joke.")


class Topic(Event):
    """A joke is to be written about it."""

    topic: str


class Joke(Event):
    """A joke as the model told it."""

    text: str


class Funny(Event):
    """A joke that may be the best."""

    text: str
    words: int


class Dull(Event):
    """A joke that is too long to be the best."""

    text: str


class Rated(ProgressEvent):
    """One joke more has been looked at."""

    text: str
    is_funny: bool


class Readings(BaseModel):
    """What it took to rate the jokes of a run."""

    words: int = 0


class BestJokeTold(StopEvent):
    """The best joke, how many others there were, and how many words were read for it."""

    joke: str
    others: int
    words_read: int


class NothingFunny(StopEvent):
    """There was no joke worth telling."""

    words_read: int


class BestJoke(Flow[JokesRequested, BestJokeTold | NothingFunny]):
    """Jokes about several topics are written and rated; the best one is told."""

    name = "best-joke"
    on = "jokes.requested"

    @step
    def plan(self, asked: JokesRequested) -> list[Topic]:
        """Gives each topic once."""
        return [Topic(topic=topic) for topic in dict.fromkeys(asked.topics)]

    @step(prompt="joke/write", max_parallel=5, tolerate="50%")
    async def write(self, topic: Topic) -> Joke:
        """Asks the model, for each topic."""

    @step
    async def rate(self, joke: Joke, asked: JokesRequested, ctx: Context[Readings]) -> Funny | Dull:
        """Brevity is the soul of wit."""
        words = len(joke.text.split())
        ctx.edit(lambda so_far: Readings(words=so_far.words + words))
        is_funny = words <= asked.most_words
        await ctx.emit(Rated(text=joke.text, is_funny=is_funny))
        return Funny(text=joke.text, words=words) if is_funny else Dull(text=joke.text)

    @step
    async def choose(
        self, funny: list[Funny], dull: list[Dull], ctx: Context[Readings]
    ) -> BestJokeTold | NothingFunny:
        """The shortest one is the best; of several, the first."""
        words = (await ctx.get()).words
        if not funny:
            return NothingFunny(words_read=words)
        best = min(funny, key=lambda joke: joke.words)
        others = len(funny) - 1 + len(dull)
        return BestJokeTold(joke=best.text, others=others, words_read=words)
