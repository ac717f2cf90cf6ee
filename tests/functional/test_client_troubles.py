"""`shared.client`: what goes wrong is told, with a type and a remedy, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from shared.client import (
    EventBuriedError,
    NotStartedError,
    RunCancelledError,
    RunFailedError,
    RunRefusedError,
    RunUnknownError,
    Segue,
    StillRunningError,
    UnreachableError,
)
from shared.domain.records import RunRecord, RunStatus, run_path
from shared.errors import StoreUnavailableError
from shared.ports import Update
from tests.functional import calls
from tests.functional.client import (
    CHAIN,
    ENDED,
    RUNNING,
    TOPIC,
    finished,
    played,
    steps,
    told,
)
from tests.functional.system import EVENT, System, flow


def test_a_failed_run_says_where_and_why_and_can_be_awaited_again_after_a_redrive():
    system = System([CHAIN])
    calls.BROKEN.add("b")

    async def story(segue: Segue) -> dict[str, Any]:
        run = await segue.start("thing", TOPIC)
        with pytest.raises(RunFailedError, match=r"failed at step 'b'.*redrive") as caught:
            await finished(system, run.result(timeout=60))
        assert (caught.value.run_id, caught.value.step) == (run.run_id, "b")
        assert caught.value.code == "ActionFailed"
        assert "b is broken" in caught.value.failure.message
        calls.BROKEN.clear()
        await system.redrive(run.run_id)
        return await run.result(timeout=60)

    assert played(system, story) == ENDED


def test_data_that_breaks_the_flows_schema_is_a_refused_run():
    system = System([CHAIN])

    async def story(segue: Segue) -> None:
        run = await segue.start("thing", {"topic": 7})
        with pytest.raises(RunRefusedError, match=r"event\.data.*correct the data") as caught:
            await finished(system, run.result(timeout=60))
        assert (caught.value.code, caught.value.step) == ("InputInvalid", None)
        assert isinstance(caught.value, RunFailedError)

    played(system, story)


def test_a_flow_whose_condition_does_not_hold_has_not_started():
    system = System([flow("a: {call: test.echo}", more="on: {event: e, where: 'false'}")])

    async def story(segue: Segue) -> None:
        first = await segue.start("thing", id="1")
        with pytest.raises(NotStartedError, match="choose another"):
            await finished(system, first.result(timeout=5))
        again = await segue.start("thing", id="1")  # of an event that was stored before
        with pytest.raises(NotStartedError):
            await finished(system, again.result(timeout=60))

    played(system, story)


def test_an_event_that_became_a_dead_letter_ends_the_wait():
    """`route` gives up at last where the store takes nothing of it."""

    async def story(segue: Segue) -> None:
        event = await segue.publish(EVENT, TOPIC, id="1")
        run = await segue.start("thing", TOPIC, id="2")
        system.world.documents.commit = broken  # type: ignore[method-assign]
        for _ in range(40):
            await system.pipeline.step("route")
        system.world.documents.commit = works  # type: ignore[method-assign]
        for waiting in (event.runs(timeout=60), run.result(timeout=60)):
            with pytest.raises(EventBuriedError, match="dead letter"):
                await finished(system, waiting)

    async def broken(_: object) -> Any:
        raise StoreUnavailableError("away")

    system = System([CHAIN])
    works = system.world.documents.commit
    played(system, story)


def test_a_cancelled_run_is_told_as_such():
    system = System([CHAIN])

    async def story(segue: Segue) -> None:
        run = await segue.start("thing", TOPIC)
        await system.pipeline.step("route")
        found = await system.world.documents.get(run_path(run.run_id))
        assert found is not None
        cancelled = RunRecord.fields_of({"status": RunStatus.CANCELLED, "finished_at": now})
        await system.world.documents.commit([Update(found.path, cancelled, found.revision)])
        with pytest.raises(RunCancelledError, match=run.run_id):
            await run.result(timeout=60)
        assert steps(await told(run)) == [RUNNING, (None, "cancelled", 0)]

    now = system.world.clock.now()
    played(system, story)


def test_a_wait_that_is_over_stops_nothing_and_leaves_nothing_behind():
    system = System([CHAIN])

    async def story(segue: Segue) -> dict[str, Any]:
        run = await segue.start("thing", TOPIC)
        with pytest.raises(StillRunningError, match=f"run {run.run_id} has not ended within 5 s"):
            await run.result(timeout=5)
        with pytest.raises(TimeoutError):
            await (await segue.publish("x")).runs(timeout=0)
        waits = [asyncio.create_task(run.result()), asyncio.create_task(told(run))]
        await asyncio.sleep(1)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        async with aclosing(run.progress()) as changes:  # one that is left early
            assert await finished(system, anext(changes)) is not None
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return await run.result(timeout=60)

    assert played(system, story) == ENDED


def test_a_run_that_nobody_opens_is_unknown_after_a_while():
    system = System([CHAIN])

    async def story(segue: Segue) -> float:
        with pytest.raises(RunUnknownError, match="no run 'joke-0'"):
            await segue.run("joke-0").result()
        return asyncio.get_running_loop().time()

    assert 30 < played(system, story) < 36


def test_a_store_that_is_away_for_a_while_does_not_end_a_wait():
    system = System([CHAIN])
    works = system.world.documents.get_many

    async def away(_: object) -> Any:
        raise StoreUnavailableError("no answer")

    async def story(segue: Segue) -> dict[str, Any]:
        run = await segue.start("thing", TOPIC)
        wait = asyncio.create_task(run.result())
        lost = asyncio.create_task(run.result())
        await asyncio.sleep(1)
        system.world.documents.get_many = away  # type: ignore[method-assign]
        await asyncio.sleep(30)
        with pytest.raises(UnreachableError, match=r"no answer.*datastore\.viewer"):
            await run.result()  # had no answer before: something is wrong
        system.world.documents.get_many = works  # type: ignore[method-assign]
        result = await finished(system, wait)
        assert await lost == result
        again = asyncio.create_task(segue.run("none").result())
        await asyncio.sleep(1)
        system.world.documents.get_many = away  # type: ignore[method-assign]
        with pytest.raises(UnreachableError):
            await again
        return result

    assert played(system, story) == ENDED
