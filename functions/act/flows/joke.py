"""The flow of `prompts/flows/joke.yaml` once more, as a class: the same prompts, the same run."""

from __future__ import annotations

from pydantic import Field

from shared.typed import Event, Flow, StartEvent, StopEvent, step


class JokeRequested(StartEvent):
    """Somebody wants a joke."""

    topic: str = Field(min_length=1, max_length=200)


class JokeWritten(Event):
    """A joke that nobody has laughed at yet."""

    text: str


class JokeTold(StopEvent):
    """A joke, and what is wrong with it."""

    joke: str
    critique: str


class JokeFlow(Flow[JokeRequested, JokeTold]):
    """A joke about a topic is written, then criticised."""

    name = "joke-typed"
    on = "joke.typed.requested"

    @step(prompt="joke/write")
    async def write(self, asked: JokeRequested) -> JokeWritten:
        """Gives the joke."""

    @step(
        prompt="joke/critique",
        outputs={"joke": "{{ write.text }}", "critique": "{{ critique.text }}"},
    )
    async def critique(self, joke: JokeWritten) -> JokeTold:
        """Gives the joke with its critique."""
