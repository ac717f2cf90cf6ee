"""Ends spread through a family: down where a run ends before its children, up where they do."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress

import pytest

from shared.delivery.letters.redrive import redrive
from shared.domain.records import RunRecord, StepRecord
from shared.domain.starts.by_name import START
from shared.errors import RedriveRefusedError
from shared.ports import Document, Write, Written
from shared.testing.memory import MemoryStore
from shared.testing.pipeline import Crash
from tests.functional import calls
from tests.functional.family import (
    MID,
    PARENT,
    SLOW,
    child_of,
    later,
    leaf,
    parent,
    run_of,
    steps,
    sweep,
    type_of,
)
from tests.functional.system import EVENT, System, flow


async def test_a_run_that_is_cancelled_takes_its_children_along():
    calls.BROKEN.add("leaf")
    system = System([parent("flow: mid", more=""), MID, SLOW])
    await system.start()
    await system.start({"run": run_of(system).run_id, "by": "ada"}, "segue.run.cancel")
    ended = {run.flow: run.status for run in system.stored("runs", RunRecord)}
    assert ended == dict.fromkeys(("thing", "mid", "leaf"), "cancelled")
    told = child_of(system, "mid").error
    assert told is not None
    assert f"run {run_of(system).run_id}" in told.message
    assert system.letters() == []


@pytest.mark.parametrize(
    ("other", "status"),
    [("call: test.fail", "failed"), ("call: test.echo, finish: true", "succeeded")],
)
async def test_a_run_that_ends_without_its_children_cancels_them(other: str, status: str):
    calls.BROKEN.add("leaf")
    system = System([parent("flow: leaf", more="", others=later(other)), SLOW])
    await system.start()
    assert (run_of(system).status, child_of(system).status) == ("running", "running")
    await sweep(system, 600)
    assert (run_of(system).status, child_of(system).status) == (status, "cancelled")


async def test_a_child_that_is_let_go_goes_on_without_its_parent():
    calls.BROKEN.add("leaf")
    version = parent("flow: leaf, await: false", more="", others=later("call: test.fail"))
    system = System([version, SLOW])
    await system.start()
    await sweep(system, 600)
    assert (run_of(system).status, child_of(system).status) == ("failed", "running")


async def test_a_child_that_is_opened_after_its_parents_end_is_cancelled():
    system = System([parent("flow: leaf", more=""), SLOW])
    calls.BROKEN.add("leaf")
    await system.publish(EVENT)
    while not (found := [one for one in system.pipeline.collect() if type_of(one) == START]):
        await system.pipeline.step()
    late = system.pipeline.take(found[0])
    await system.start({"run": run_of(system).run_id}, "segue.run.cancel")
    await system.pipeline.deliver(late)
    await system.run()
    assert child_of(system).status == "cancelled"


async def test_a_child_that_is_cancelled_fails_its_step():
    calls.BROKEN.add("leaf")
    system = System([parent("flow: leaf, on_error: continue", more=""), SLOW])
    await system.start()
    await system.start({"run": child_of(system).run_id}, "segue.run.cancel")
    kid = (await steps(system))["kid"]
    assert (kid["status"], kid["error"]["code"]) == ("failed", "ChildCancelled")
    assert run_of(system).status == "succeeded"


CHILDREN = {
    "waited for": "flow: leaf, with: {n: 1}",
    "let go": "flow: leaf, await: false, with: {n: 1}",
    "of items": "foreach: {in: 'range(3)', max_parallel: 1}, flow: leaf, with: {n: '{{ item }}'}",
}


@pytest.mark.parametrize("step", CHILDREN.values(), ids=CHILDREN)
async def test_a_run_that_is_paused_opens_no_child_until_it_is_resumed(step: str):
    system = System([parent(step, more=""), leaf()])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    run_id = run_of(system).run_id
    await system.publish("segue.run.pause", {"run": run_id})
    await system.pipeline.step("route")
    await system.run()
    assert system.run_ids() == [run_id]
    await system.start({"run": run_id}, "segue.run.resume")
    assert {run.status for run in system.stored("runs", RunRecord)} == {"succeeded"}
    assert calls.SEEN["leaf"] == (3 if "foreach" in step else 1)


@pytest.mark.parametrize("step", CHILDREN.values(), ids=CHILDREN)
async def test_a_run_that_is_cancelled_opens_no_child_any_more(step: str):
    system = System([parent(step, more=""), leaf()])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at("committed", "before")
    await system.start({"run": run_of(system).run_id}, "segue.run.cancel")
    assert calls.SEEN["leaf"] == 0
    assert [run.flow for run in system.stored("runs", RunRecord)] == ["thing"]


async def test_a_step_waits_no_longer_than_its_timeout():
    calls.BROKEN.add("leaf")
    system = System([parent("flow: leaf, timeout: 10m, on_error: continue", more=""), SLOW])
    await system.start()
    await sweep(system, 300)
    assert (await steps(system))["kid"]["status"] == "waiting"
    await sweep(system, 300)
    kid = (await steps(system))["kid"]
    assert (kid["status"], kid["error"]["code"]) == ("failed", "StepTimeout")
    assert (run_of(system).status, child_of(system).status) == ("succeeded", "cancelled")
    records = system.stored(f"runs/{run_of(system).run_id}/steps", StepRecord)
    assert [record.due for record in records if record.step == "kid"] == [None]


# -- redrives -----------------------------------------------------------------------------------


class Mortal(MemoryStore):
    """A store whose process dies at one of the calls to come."""

    def __init__(self, inner: MemoryStore) -> None:
        self.inner, self.left = inner, 0
        self.find, self.count, self.get = inner.find, inner.count, inner.get

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        written = await self.inner.commit(writes)
        self._pass()
        return written

    async def get_many(self, paths: Sequence[str]) -> list[Document | None]:
        self._pass()
        return await self.inner.get_many(paths)

    def _pass(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash


@pytest.mark.parametrize("named", ["leaf", "mid", "thing"])
async def test_a_redrive_that_has_died_is_done_again_by_its_letter_and_those_left_open(named: str):
    for at in itertools.count(1):
        own = leaf(step="{call: test.count, with: {name: leaf, value: 8}}")
        system = System([parent("flow: mid", more=""), MID, own], store=Mortal)
        calls.BROKEN.add("leaf")
        await system.publish(EVENT)
        buried = []
        while waiting := system.pipeline.collect():
            one = system.pipeline.take(waiting[0])
            await system.pipeline.deliver(one)
            buried += [one] if one.stage == "bury" else []
        calls.BROKEN.clear()
        [letter] = [one.letter_id for one in system.letters() if one.flow == named]
        store = system.world.store
        assert isinstance(store, Mortal)
        store.left = at
        try:
            await redrive(letter, system.pipeline.deps())
            is_through = True
        except Crash:
            is_through = False
        store.left = 0
        for one in buried:  # delivered twice, and the second time only now
            await system.pipeline.deliver(one)
        await system.run()
        for left in [letter, *(one.letter_id for one in system.letters() if one.status == "open")]:
            with suppress(RedriveRefusedError):
                await system.redrive(left)
        assert {run.status for run in system.stored("runs", RunRecord)} == {"succeeded"}, at
        assert {one.status for one in system.letters()} == {"redriven"}
        if is_through:
            assert at > 10
            return


@pytest.mark.parametrize("named", ["leaf", "mid", "thing"])
@pytest.mark.parametrize("by_letter", [False, True])
async def test_a_redrive_of_any_of_them_takes_the_others_along(named: str, *, by_letter: bool):
    child = flow(
        """
        first: {call: test.count, with: {name: first}}
        work: {needs: first, call: test.count, with: {name: leaf, value: 8}}
        """,
        name="leaf",
        more="on: call\noutputs: {n: '{{ work }}'}",
    )
    mid = flow("kid: {flow: leaf}", name="mid", more="on: call\noutputs: {n: '{{ kid.n }}'}")
    system = System([parent("flow: mid"), mid, child])
    calls.BROKEN.add("leaf")
    await system.start()
    before = system.run_ids()
    assert {run.status for run in system.stored("runs", RunRecord)} == {"failed"}
    calls.BROKEN.clear()
    [letter] = [one.letter_id for one in system.letters() if one.flow == named]
    await system.redrive(letter if by_letter else child_of(system, named).run_id)
    assert {run.status for run in system.stored("runs", RunRecord)} == {"succeeded"}
    assert run_of(system).outputs == {"n": 8}
    assert system.run_ids() == before
    assert (calls.SEEN["before"], calls.SEEN["first"], calls.SEEN["leaf"]) == (1, 1, 2)
    assert {letter.status for letter in system.letters()} == {"redriven"}


async def test_a_redrive_opens_another_child_in_place_of_one_that_was_cancelled():
    calls.BROKEN.update({"leaf", "other"})
    other = later("call: test.count, with: {name: other}")
    system = System([parent("flow: leaf, with: {n: 1}", others=other), SLOW])
    await system.start()
    await sweep(system, 600)
    assert child_of(system).status == "cancelled"
    calls.BROKEN.clear()
    await system.redrive(run_of(system).run_id)
    leaves = [run.status for run in system.stored("runs", RunRecord) if run.flow == "leaf"]
    assert sorted(leaves) == ["cancelled", "succeeded"]
    assert run_of(system).status == "succeeded"


async def test_a_redrive_opens_another_child_in_place_of_one_that_was_refused():
    schema = "input: {type: object, properties: {n: {type: string}}}"
    system = System([PARENT, leaf(more=schema)])
    await system.start()
    system.deploy(PARENT, leaf())
    refused = child_of(system).run_id
    await system.redrive(refused)
    assert run_of(system).outputs == {"n": 8}
    assert calls.SEEN["leaf"] == 1
    assert {letter.status for letter in system.letters()} == {"redriven"}
