"""A client over the pipeline in memory, on a clock that jumps to whatever comes next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.client import Change, Run, Segue
from shared.testing.simulator import virtual_loop
from tests.functional.system import System, flow

T = TypeVar("T")
CHAIN = flow(
    """
    a: {prompt: say, with: {text: "{{ event.data.topic }}"}}
    b: {needs: a, call: test.count, with: {name: b, value: "{{ a.text }}"}}
    never: {needs: a, when: "false", prompt: say, with: {text: x}}
    """,
    more="""
    input: {type: object, required: [topic], properties: {topic: {type: string}}}
    outputs: {said: "{{ b }}"}
    """,
)
TOPIC = {"topic": "cats"}
ENDED = {"said": "a(cats)"}


def played(system: System, story: Callable[[Segue], Awaitable[T]]) -> T:
    """What a story with a client comes to."""

    async def play(_: object) -> T:
        async with Segue(ports=system.pipeline.deps()) as segue:
            return await story(segue)

    return virtual_loop.run(play)


async def deliver(system: System) -> None:
    """A message each second, until nothing is left."""
    while await system.pipeline.step():  # noqa: ASYNC110 - it makes what it waits for
        await asyncio.sleep(1)


async def finished(system: System, waiting: Awaitable[T]) -> T:
    """What a wait comes to while the stages work."""
    found, _ = await asyncio.gather(waiting, deliver(system))
    return found


async def told(run: Run) -> list[Change]:
    return [change async for change in run.progress()]


def steps(changes: list[Change]) -> list[tuple[str | None, str, int]]:
    return [(change.step, change.status.value, change.attempt) for change in changes]


RUNNING, SUCCEEDED = (None, "running", 0), (None, "succeeded", 0)
WHOLE_STORY = [
    RUNNING,
    ("a", "running", 1),
    ("a", "succeeded", 1),
    ("never", "skipped", 0),
    ("b", "running", 1),
    ("b", "succeeded", 1),
    SUCCEEDED,
]
