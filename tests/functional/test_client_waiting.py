"""`shared.client`: what is told while a run goes on, and what looking at it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from shared.client import (
    Change,
    Segue,
)
from shared.client.following import STEPS_PER_SECOND
from shared.domain.records import StepRecord, step_path
from shared.errors import ModelUnreachableError
from shared.ports import Document
from shared.testing.memory import ScriptedModel
from tests.functional import calls
from tests.functional.client import (
    CHAIN,
    ENDED,
    RUNNING,
    SUCCEEDED,
    TOPIC,
    WHOLE_STORY,
    finished,
    played,
    steps,
    told,
)
from tests.functional.system import System, flow

WIDE = flow("\n".join(f"s{n}: {{call: test.echo}}" for n in range(40)))


def test_progress_tells_each_state_of_each_step_once_and_ends_with_the_run():
    system = System([CHAIN])

    async def story(segue: Segue) -> list[Change]:
        run = await segue.start("thing", TOPIC)
        live = await finished(system, told(run))
        assert await told(segue.run(run.run_id)) == live  # another client, later
        return live

    changes = played(system, story)
    assert steps(changes) == WHOLE_STORY
    assert [change.at for change in changes] == sorted(change.at for change in changes)
    assert {change.step: change.output for change in changes if change.output is not None} == {
        "a": {"text": "a(cats)"},
        "b": "a(cats)",
        None: ENDED,
    }
    assert [change.is_end for change in changes] == [*[False] * 6, True]


def test_progress_tells_of_attempts_that_were_given_back_and_why():
    answers = {"say": [ModelUnreachableError("no route"), "at last"]}
    system = System([CHAIN], model=ScriptedModel(answers))

    async def story(segue: Segue) -> list[Change]:
        return await finished(system, told(await segue.start("thing", TOPIC)))

    changes = played(system, story)
    assert steps(changes)[1:5] == [
        ("a", "running", 1),
        ("a", "pending", 1),
        ("a", "running", 2),
        ("a", "succeeded", 2),
    ]
    assert changes[2].error is not None
    assert changes[2].error.code == "ModelUnreachable"


def test_progress_of_a_failed_run_ends_without_raising():
    system = System([CHAIN])
    calls.BROKEN.add("b")

    async def story(segue: Segue) -> list[Change]:
        return await finished(system, told(await segue.start("thing", TOPIC)))

    *_, step, end = played(system, story)
    assert (step.step, step.status.value) == ("b", "failed")
    assert (end.step, end.status.value, end.is_end) == (None, "failed", True)
    assert end.error == step.error


def test_a_redrive_that_comes_between_two_looks_is_followed_on():
    """The failure is seen at a step of a run that was still going on when it was looked at."""
    system = System([CHAIN])
    reads = system.world.documents.get_many
    calls.BROKEN.add("b")

    async def fails_meanwhile(paths: Sequence[str]) -> list[Document | None]:
        if paths[0].endswith("/steps/a") and calls.BROKEN:
            await system.run()
            calls.BROKEN.clear()
        return await reads(paths)

    async def story(segue: Segue) -> list[Change]:
        run = await segue.start("thing", TOPIC)
        await system.pipeline.step("route")
        system.world.documents.get_many = fails_meanwhile
        following = asyncio.create_task(told(run))
        await asyncio.sleep(0.1)
        await system.redrive(run.run_id)
        return await following

    changes = steps(played(system, story))
    assert changes[-5:] == [
        ("b", "failed", 1),
        ("b", "pending", 1),
        ("b", "running", 2),
        ("b", "succeeded", 2),
        SUCCEEDED,
    ]
    assert len(changes) == len(set(changes))


def test_nothing_is_left_out_of_what_happens_at_once():
    system = System([WIDE])

    async def story(segue: Segue) -> list[Change]:
        run = await segue.start("thing")
        await system.pipeline.step("route")
        following = asyncio.create_task(told(run))
        await asyncio.sleep(0.1)
        await system.run()
        return await following

    changes = steps(played(system, story))
    ends = {(f"s{n}", "succeeded", 1) for n in range(40)}
    assert set(changes) >= ends
    assert (changes[0], changes[-1]) == (RUNNING, SUCCEEDED)


def test_after_a_change_the_next_one_is_seen_soon_however_long_it_was_quiet():
    system = System([CHAIN])

    async def story(segue: Segue) -> float:
        run = await segue.start("thing", TOPIC)
        await system.pipeline.step("route")
        async with aclosing(run.progress()) as changes:
            await anext(changes)
            waiting = asyncio.create_task(anext(changes))
            await asyncio.sleep(1800)
            await system.pipeline.step()
            await system.pipeline.step()
            assert (await waiting).step == "a"
            while (await anext(changes)).step != "never":
                pass
            await system.run()
            seen = asyncio.get_running_loop().time()
            await anext(changes)
            return asyncio.get_running_loop().time() - seen

    assert played(system, story) <= 0.5


def test_a_look_costs_one_read_and_a_long_wait_looks_seldom():
    system = System([CHAIN])

    async def story(segue: Segue) -> list[int]:
        run = await segue.start("thing", TOPIC)
        await system.pipeline.step("route")
        system.world.documents.reset_counts()
        wait = asyncio.create_task(run.result())
        counted = []
        for seconds in (10, 50, 3540, 7200):
            await asyncio.sleep(seconds)
            counted.append(system.world.documents.reads.total())
        wait.cancel()
        return counted

    ten_seconds, minute, hour, three_hours = played(system, story)
    assert ten_seconds <= 30
    assert minute <= 50
    assert hour <= 320
    assert three_hours <= 320 + 7200 / 13.5 + 1
    assert set(system.world.documents.reads) == {f"runs/{system.run_ids()[0]}"}


def test_an_end_is_seen_a_tenth_of_the_time_later_and_fifteen_seconds_at_most():
    system = System([CHAIN])

    async def story(segue: Segue) -> tuple[float, float]:
        run = await segue.start("thing", TOPIC)
        wait = asyncio.create_task(run.result())
        quick = asyncio.create_task((await segue.start("thing", TOPIC)).result())
        await asyncio.sleep(1)
        await system.run()
        now = asyncio.get_running_loop().time
        at = now()
        await quick
        await wait
        soon = now() - at
        slow = asyncio.create_task((await segue.start("thing", TOPIC)).result())
        await asyncio.sleep(3600)
        await system.run()
        at = now()
        await slow
        return soon, now() - at

    soon, late = played(system, story)
    assert soon <= 0.25
    assert late <= 15


def test_following_reads_steps_within_a_limit_and_none_that_has_ended():
    system = System([WIDE])
    documents = system.world.documents

    async def story(segue: Segue) -> tuple[int, list[Change]]:
        run = await segue.start("thing")
        await system.pipeline.step("route")
        documents.reset_counts()
        following = asyncio.create_task(told(run))
        await asyncio.sleep(60)
        idle = documents.reads.total()
        await system.pipeline.step()  # one of them ends
        await asyncio.sleep(600)
        documents.reset_counts()
        await asyncio.sleep(600)
        [ended] = system.stored(f"runs/{run.run_id}/steps", StepRecord)
        assert documents.reads[step_path(run.run_id, ended.step)] == 0
        assert documents.reads.total() >= 40 * 600 / 15
        await system.run()
        return idle, await following

    idle, changes = played(system, story)
    assert idle <= 60 * STEPS_PER_SECOND
    assert changes[-1].is_end

    async def look_back(segue: Segue) -> None:
        documents.reset_counts()
        await told(segue.run(system.run_ids()[0]))

    played(system, look_back)
    steps_and_run = 40 + 1
    assert documents.reads.total() == steps_and_run


def test_all_waits_of_a_client_together_keep_within_its_limit():
    system = System([CHAIN])

    async def story(_: Segue) -> int:
        async with Segue(ports=system.pipeline.deps(), looks_per_second=10) as slow:
            run = await slow.start("thing", TOPIC)
            await system.pipeline.step("route")
            system.world.documents.reset_counts()
            waits = [asyncio.create_task(run.result()) for _ in range(200)]
            await asyncio.sleep(10)
            for wait in waits:
                wait.cancel()
        return system.world.documents.reads.total()

    assert played(system, story) <= 101


def test_a_client_without_flows_on_disk_reads_a_version_once():
    system = System([CHAIN])

    async def story(segue: Segue) -> None:
        run = await segue.start("thing", TOPIC)
        await system.run()
        await run.result()

    played(system, story)

    async def elsewhere(segue: Segue) -> None:
        system.world.documents.reset_counts()
        for _ in range(3):
            assert steps(await told(segue.run(system.run_ids()[0]))) == WHOLE_STORY

    played(System([], store=lambda _: system.world.documents), elsewhere)
    assert system.world.documents.reads[f"flows/{CHAIN.version}"] == 1
