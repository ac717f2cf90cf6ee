"""What a client that cancels, pauses and resumes runs is told, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from shared.client import (
    NotObeyedError,
    PauseRefusedError,
    RunCancelledError,
    RunEndedError,
    RunUnknownError,
    Segue,
)
from shared.client.commanding import order
from shared.client.pace import Pace, Turns
from shared.client.stopping import shown
from shared.delivery.runs.report import report_of
from shared.domain.commands import Cancel, Pause, Resume
from tests.functional.client import CHAIN, TOPIC, deliver, played
from tests.functional.system import System


async def obeyed(system: System, waiting: Awaitable[None]) -> None:
    """What a wait comes to while `route` works, and no other stage does."""
    asked = asyncio.ensure_future(waiting)
    while not asked.done():
        await system.pipeline.step("route")
        await asyncio.sleep(1)
    await asked


def test_a_run_that_was_just_started_can_be_cancelled():
    """The command must not overtake the event."""
    system = System([CHAIN])

    async def story(segue: Segue) -> str:
        run = await segue.start("thing", TOPIC)
        await obeyed(system, run.cancel(reason="too late", by="ada"))
        with pytest.raises(RunCancelledError, match="cancelled by ada: too late") as told:
            await run.result()
        return told.value.run_id

    assert played(system, story) == system.run_ids()[0]


def test_a_run_is_paused_and_resumed_and_comes_to_its_end():
    system = System([CHAIN])

    async def story(segue: Segue) -> tuple[object, ...]:
        run = await segue.start("thing", TOPIC)
        await system.pipeline.step("route")
        await obeyed(system, run.pause(reason="wait", by="ada"))
        report = await report_of(run.run_id, system.pipeline.deps())
        assert (report["paused"], report["paused_by"], report["paused_reason"]) == (
            True,
            "ada",
            "wait",
        )
        assert report["steps"]["a"]["held"]
        await obeyed(system, run.resume())
        await deliver(system)
        return await run.status(), await run.result()

    assert played(system, story) == ("succeeded", {"said": "a(cats)"})


@pytest.mark.parametrize("kind", [Cancel, Pause, Resume])
def test_what_cannot_be_done_is_told_at_once(kind: type[Cancel | Pause | Resume]):
    system = System([CHAIN])
    verb = kind.__name__.lower()

    async def story(segue: Segue) -> None:
        run = await segue.start("thing", TOPIC)
        await deliver(system)
        ports = system.pipeline.deps()
        with pytest.raises(RunEndedError, match=f"has succeeded already; .* to {verb}"):
            await order(kind(run=run.run_id), ports)
        with pytest.raises(RunUnknownError, match="there is no run 'nobody'"):
            await order(kind(run="nobody"), ports)

    played(system, story)
    assert system.topics("events") == 1


def test_pausing_twice_and_resuming_what_is_not_paused_is_told():
    system = System([CHAIN])

    async def story(segue: Segue) -> None:
        run = await segue.start("thing", TOPIC)
        await system.pipeline.step("route")
        with pytest.raises(PauseRefusedError, match="is not paused"):
            await run.resume()
        await obeyed(system, run.pause())
        with pytest.raises(PauseRefusedError, match="is paused already, since"):
            await run.pause()

    played(system, story)


def test_a_run_that_ends_before_it_can_be_cancelled_is_told_of():
    system = System([CHAIN])

    async def story(segue: Segue) -> None:
        run = await segue.start("thing", TOPIC)
        await system.pipeline.step("route")
        asked = Cancel(run=run.run_id)
        await order(asked, system.pipeline.deps())
        for stage in ("compose", "generate", "act"):
            assert await system.pipeline.step(stage)
        await deliver(system)
        with pytest.raises(RunEndedError, match="has succeeded already"):
            await shown(asked, system.pipeline.deps(), Pace(Turns(), system.pipeline.random))

    played(system, story)


def test_a_command_that_nobody_obeys_is_told_of_after_a_while():
    system = System([CHAIN])

    async def story(segue: Segue) -> None:
        run = await segue.start("thing", TOPIC)
        await system.pipeline.step("route")
        with pytest.raises(NotObeyedError, match="shows nothing of it within 60 s"):
            await run.cancel()

    played(system, story)
