"""The state of a run: every edit of a step that succeeds is in it once, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from shared.delivery.crashpoints import Point
from shared.domain.run_notes import StateRecord, state_path
from shared.ports import Put, Write, Written
from shared.testing.memory import ManualClock, MemoryStore
from shared.typed import Context, Event, Flow, StartEvent, StopEvent, step
from tests.functional.system import System
from tests.functional.typed_flows import BROKEN, CALLED, Sorting, Tally, typed

TEXTS = {"texts": ["a", "bb", "cccccc", "dddd"]}
SEEN = {
    "seen": ["*", "a", "bb", "cccccc", "dddd"],
    "counts": {"split": 1, "keep": 2, "cut": 2},
}


def state(system: System) -> Tally:
    [run_id] = system.run_ids()
    found = system.world.documents.documents[state_path(run_id)]
    return Tally.model_validate(StateRecord.of(found.data).state)


async def require_tallied(system: System) -> None:
    """The run has succeeded, and its last step has seen every edit once."""
    report = await system.report()
    assert report["status"] == "succeeded", report["error"]
    assert {key: report["outputs"][key] for key in SEEN} == SEEN
    assert state(system).model_dump() == SEEN


@pytest.mark.parametrize("seed", range(3))
async def test_steps_in_parallel_edit_one_state(seed: int):
    system = System([typed(Sorting)], seed=seed)
    await system.start(TEXTS, Sorting.on)
    await require_tallied(system)


@pytest.mark.parametrize("point", ["claimed", "worked", "committed", "emitted"])
@pytest.mark.parametrize("step", ["split", "keep[1]", "cut[0]", "gather"])
async def test_a_crash_at_any_point_leaves_each_edit_once(point: Point, step: str):
    system = System([typed(Sorting)])
    await system.publish(Sorting.on, TEXTS)
    while not [
        one for one in system.pipeline.collect() if one.message.attributes.get("segue-step") == step
    ]:
        await system.pipeline.step()
    await system.killed_at(point, step)
    await system.run()
    await require_tallied(system)


async def test_an_event_that_comes_twice_edits_once():
    system = System([typed(Sorting)])
    for _ in range(3):
        await system.publish(Sorting.on, TEXTS, ce_id="e1")
    await system.run()
    await require_tallied(system)


class Contended:
    """Somebody else edits the state just before each of the first commits that do."""

    def __init__(self, documents: MemoryStore, times: int) -> None:
        self._inner = documents
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        for write in writes:
            if "/context/" in write.path and self._times:
                self._times -= 1
                await self._inner.commit([self._rival(write)])
        return await self._inner.commit(writes)

    def _rival(self, write: Write) -> Put:
        found = self._inner.documents.get(write.path)
        tally = Tally.model_validate(StateRecord.of(found.data).state) if found else Tally()
        edited = StateRecord(
            state=tally.with_one("rival", "-").model_dump(mode="json"),
            expire_at=ManualClock().now(),
        )
        return Put(write.path, edited.document())


@pytest.mark.parametrize("times", [1, 7, 60])
async def test_who_loses_a_race_edits_again_and_does_not_work_again(times: int):
    system = System([typed(Sorting)], store=lambda documents: Contended(documents, times))
    await system.start(TEXTS, Sorting.on)
    report = await system.report()
    assert report["status"] == "succeeded"
    assert state(system).counts == {"rival": times, **SEEN["counts"]}
    assert {CALLED[name] for name in CALLED} == {1}
    assert {item["attempts"] for item in report["steps"]["keep"]["items"]} == {1}


async def test_steps_at_once_wait_for_each_other_and_work_once():
    texts = [f"{n:04}" for n in range(30)]
    system = System([typed(Sorting)])
    await system.publish(Sorting.on, {"texts": texts})
    for _ in range(2):
        await system.pipeline.step()
    waiting = [system.pipeline.take(one) for one in system.pipeline.collect()]
    assert len(waiting) == 30
    await asyncio.gather(*(system.pipeline.deliver(one) for one in waiting))
    assert state(system).seen == ["*", *texts]
    await system.run()
    assert (await system.report())["outputs"]["seen"] == ["*", *texts]
    assert {CALLED[f"cut {text}"] for text in texts} == {1}


async def test_a_step_that_fails_leaves_no_edit():
    BROKEN.add("cut dddd")
    system = System([typed(Sorting)])
    await system.start(TEXTS, Sorting.on)
    assert (await system.report())["status"] == "failed"
    assert "dddd" not in state(system).seen
    BROKEN.clear()
    await system.redrive()
    await require_tallied(system)


async def test_an_edit_costs_a_read_and_a_write_in_the_commit_of_its_step():
    system = System([typed(Sorting)])
    await system.publish(Sorting.on, {"texts": []})
    await system.pipeline.step("route")
    documents = system.world.documents
    documents.reset_counts()
    await system.pipeline.step("act")
    [run_id] = system.run_ids()
    assert documents.reads[state_path(run_id)] == 1
    assert documents.writes[state_path(run_id)] == 1


async def test_the_state_expires_with_its_run():
    system = System([typed(Sorting)])
    await system.start(TEXTS, Sorting.on)
    system.world.clock.advance(timedelta(days=31))
    await system.send("sweep", b"", {})
    await system.run()
    assert [path for path in system.world.documents.documents if path.startswith("runs/")] == []


class Begin(StartEvent):
    edit: str


class Edited(Event):
    pass


class End(StopEvent):
    n: int
    mine: str


class Small(BaseModel):
    n: int = 0
    text: str = ""


def _times_a_million(small: Small) -> Small:
    return small.model_copy(update={"text": "x" * 1_100_000})


EDITS = {
    "raises": lambda small: small.model_copy(update={"n": 1 // small.n}),
    "nothing": lambda _small: None,
    "too much": _times_a_million,
    "twice": lambda small: small.model_copy(update={"n": small.n + 1}),
}


class Editing(Flow[Begin, End]):
    name, on = "editing", "edit.asked"

    @step
    async def edit(self, begin: Begin, ctx: Context[Small]) -> Edited:
        CALLED["edit"] += 1
        for _ in range(2):
            ctx.edit(EDITS[begin.edit])
        return Edited()

    @step
    async def end(self, edited: Edited, ctx: Context[Small]) -> End:
        before = await ctx.get()
        ctx.edit(lambda small: small.model_copy(update={"n": small.n + 10}))
        mine = await ctx.get()
        return End(n=before.n, mine=f"{mine.n} {ctx.step} {ctx.run_id == ''} {len(ctx.key)}")


async def test_a_step_sees_its_own_edits_on_top_of_the_others():
    system = System([typed(Editing)])
    await system.start({"edit": "twice"}, Editing.on)
    outputs = (await system.report())["outputs"]
    assert outputs == {"n": 2, "mine": "12 end False 32"}


@pytest.mark.parametrize(
    ("edit", "code", "told"),
    [
        ("raises", "ActionFailed", "ZeroDivisionError"),
        ("nothing", "StateInvalid", "an edit gives NoneType, not Small"),
        ("too much", "RecordTooLarge", "the limit is 1,048,"),
    ],
)
async def test_an_edit_that_cannot_be_made_fails_its_step(edit: str, code: str, told: str):
    system = System([typed(Editing)])
    await system.start({"edit": edit}, Editing.on)
    error = (await system.report())["error"]
    assert (error["code"], error["step"]) == (code, "edit")
    assert told in error["message"]
    assert CALLED["edit"] == 1


async def test_an_edit_that_fits_no_more_when_it_is_applied_again_fails_its_step():
    class Once(Contended):
        def _rival(self, write: Write) -> Put:
            record = StateRecord(state={"n": -1}, expire_at=ManualClock().now())
            return Put(write.path, record.document())

    EDITS["picky"] = lambda small: small.model_copy(update={"n": 1 // (small.n + 1)})
    system = System([typed(Editing)], store=lambda documents: Once(documents, 1))
    await system.start({"edit": "picky"}, Editing.on)
    error = (await system.report())["error"]
    assert error["code"] == "StateInvalid"
    assert "ZeroDivisionError" in error["message"]
    assert CALLED["edit"] == 1


async def test_a_state_of_another_model_fails_the_step_and_says_so():
    class Misfit(Contended):
        def _rival(self, write: Write) -> Put:
            record = StateRecord(state={"n": "none"}, expire_at=ManualClock().now())
            return Put(write.path, record.document())

    system = System([typed(Editing)], store=lambda documents: Misfit(documents, 1))
    await system.start({"edit": "twice"}, Editing.on)
    error = (await system.report())["error"]
    assert error["code"] == "StateInvalid"
    assert "it is no Small" in error["message"]
