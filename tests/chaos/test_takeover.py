"""Two instances at the same step: one result counts, and the other's work is refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.domain.envelope import ModelRequest
from shared.errors import ModelRefusedError, ModelUnreachableError, SegueError
from shared.ports import ModelReply
from shared.testing.memory import MemoryStore, ScriptedModel
from shared.testing.pipeline import Waiting
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

ONE = flow("a: {prompt: say, with: {text: hi}}", more="outputs: {a: '{{ a.text }}'}")
CHAIN = flow(
    """
    a: {prompt: say, with: {text: hi}}
    b: {needs: a, call: test.count, with: {name: b, value: 1}}
    c: {needs: b, prompt: say, with: {text: "{{ b }}"}}
    """,
    more="outputs: {c: '{{ c.text }}'}",
)
LEASE = 290 + 1


class HeldModel(ScriptedModel):
    """Lets the first call wait until it is released; then it answers, or raises `error`."""

    def __init__(self, error: SegueError | None = None) -> None:
        super().__init__(default="second")
        self.reached = asyncio.Event()
        self.released = asyncio.Event()
        self._error = error

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        first = not self.calls
        reply = await super().generate(request, seconds=seconds)
        if not first:
            return reply
        self.reached.set()
        await self.released.wait()
        if self._error is not None:
            raise self._error
        return replace(reply, text="first")


class Pausing:
    """A store whose every call gives way to the others, for how long is drawn from a seed."""

    def __init__(self, store: MemoryStore, random: Random) -> None:
        self._store = store
        self._random = random

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any) -> Any:
            await pause(self._random)
            result = await getattr(self._store, name)(*args)
            await pause(self._random)
            return result

        return call


async def pause(random: Random) -> None:
    for _ in range(random.randrange(9)):
        await asyncio.sleep(0)


async def at_generate(system: System) -> Waiting:
    """Publishes an event; returns the message that asks the model, taken off the queue."""
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.pipeline.step("compose")
    [waiting] = system.pipeline.collect()
    return system.pipeline.take(waiting)


async def held_up(model: HeldModel, **about: Any) -> tuple[System, Waiting, Any]:
    """A delivery that is in the middle of its model call."""
    system = System([ONE], model=model, **about)
    waiting = await at_generate(system)
    working = asyncio.create_task(system.pipeline.deliver(waiting))
    await model.reached.wait()
    return system, waiting, working


async def finish(system: System, model: HeldModel, working: Any) -> dict[str, Any]:
    """Lets the held delivery go on, then everything else; returns the report."""
    model.released.set()
    await working
    before = dict(system.world.documents.documents)
    await system.run()
    assert system.world.documents.documents == before
    return await system.report()


def lost(system: System) -> list[str]:
    reports = system.world.telemetry.reports
    return [one.disposition for one in reports if one.error and one.error.code == "ClaimLost"]


async def test_a_later_attempt_takes_the_step_over_and_the_first_commit_is_refused():
    model = HeldModel()
    system, waiting, working = await held_up(model)
    await system.pipeline.deliver(replace(waiting, attempt=2))
    report = await finish(system, model, working)
    assert (report["status"], report["outputs"]) == ("succeeded", {"a": "second"})
    assert [one["outcome"] for one in report["steps"]["a"]["ledger"]] == ["lost", "succeeded"]
    assert len(model.calls) == 2
    assert lost(system) == ["nack"]


async def test_while_a_lease_is_live_another_delivery_waits():
    model = HeldModel()
    system, waiting, working = await held_up(model, counts_attempts=False)
    await system.pipeline.deliver(waiting)
    [busy] = [one for one in system.world.telemetry.reports if one.stage == "generate"]
    assert (busy.disposition, busy.error.code) == ("nack", "ClaimBusy")
    report = await finish(system, model, working)
    assert report["outputs"] == {"a": "first"}
    assert len(model.calls) == 1


async def test_an_expired_lease_is_taken_over_and_the_first_commit_is_refused():
    model = HeldModel()
    system, waiting, working = await held_up(model, counts_attempts=False)
    system.world.clock.advance(LEASE)
    await system.pipeline.deliver(waiting)
    report = await finish(system, model, working)
    assert (report["status"], report["outputs"]) == ("succeeded", {"a": "second"})
    assert [one["outcome"] for one in report["steps"]["a"]["ledger"]] == ["lost", "succeeded"]
    assert lost(system) == ["nack"]


@pytest.mark.parametrize("error", [ModelRefusedError("SAFETY"), ModelUnreachableError("503")])
async def test_the_failure_of_an_overtaken_delivery_does_not_count(error: SegueError):
    model = HeldModel(error)
    system, waiting, working = await held_up(model)
    await system.pipeline.deliver(replace(waiting, attempt=2))
    report = await finish(system, model, working)
    assert (report["status"], report["outputs"]) == ("succeeded", {"a": "second"})
    assert system.letters() == []


async def test_an_overtaken_delivery_cannot_release_the_claim_of_the_other():
    model = HeldModel(ModelUnreachableError("503"))
    system, waiting, working = await held_up(model)
    await system.killed_on(replace(waiting, attempt=2), "worked")
    model.released.set()
    await working
    [record] = [doc for path, doc in system.world.documents.documents.items() if "/steps/" in path]
    assert (record.data["status"], record.data["fence"]) == ("running", 2)
    await system.run()
    assert (await system.report())["status"] == "succeeded"


async def test_a_late_success_cannot_end_a_run_that_timed_out_meanwhile():
    model = HeldModel()
    declared = flow("a: {prompt: say, with: {text: hi}}", more="timeout: 60s")
    system = System([declared], model=model)
    waiting = await at_generate(system)
    working = asyncio.create_task(system.pipeline.deliver(waiting))
    await model.reached.wait()
    system.world.clock.advance(61)
    await system.send("sweep", b"", {})
    await system.pipeline.step("sweep")
    model.released.set()
    await working
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "RunTimeout")
    assert report["steps"]["a"]["status"] == "succeeded"


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("stage", ["route", "compose", "generate", "act"])
@pytest.mark.parametrize("point", POINTS)
async def test_a_death_at_any_point_of_any_stage_is_survived(
    stage: str, point: Point, *, counts: bool
):
    system = System([CHAIN], counts_attempts=counts)
    await system.publish(EVENT)
    while not [one for one in system.pipeline.collect() if one.stage == stage]:
        await system.pipeline.step()
    [waiting] = system.pipeline.collect()
    await system.killed_on(system.pipeline.take(waiting), point)
    await system.run()
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"c": "c(1)"})
    assert len(system.pipeline.cut_down) == (point in REACHED[stage])
    worked_twice = point == "worked"
    assert len(system.model.calls) == 2 + (worked_twice and stage == "generate")
    assert calls.SEEN["b"] == 1 + (worked_twice and stage == "act")


REACHED = {
    "route": {"decoded", "committed", "emitted"},
    "compose": {"decoded", "emitted"},
    "generate": set(POINTS),
    "act": set(POINTS),
}


@pytest.mark.parametrize("block", range(10))
async def test_two_deliveries_at_the_same_moment_work_once(block: int):
    """However their steps interleave: one works, the other waits or finds it done."""
    for seed in range(block * 20, block * 20 + 20):
        random = Random(seed)
        system = System([ONE], store=lambda store, random=random: Pausing(store, random))
        waiting = await at_generate(system)
        deliver = system.pipeline.deliver
        await asyncio.gather(deliver(waiting), pause(random), deliver(waiting))
        assert len(system.model.calls) == 1, f"seed {seed}"
        await system.run()
        report = await system.report()
        assert (report["status"], report["steps"]["a"]["attempts"]) == ("succeeded", 1), seed
        assert len(system.model.calls) == 1, f"seed {seed}"


@pytest.mark.parametrize("block", range(10))
async def test_the_last_two_branches_at_the_same_moment_fire_their_join_once(block: int):
    declared = flow("""
        a: {call: test.echo}
        b: {call: test.echo}
        c: {needs: [a, b], call: test.count, with: {name: c}}
    """)
    for seed in range(block * 10, block * 10 + 10):
        calls.SEEN.clear()
        random = Random(seed)
        system = System([declared], store=lambda store, random=random: Pausing(store, random))
        await system.publish(EVENT)
        await system.pipeline.step("route")
        both = [system.pipeline.take(one) for one in system.pipeline.collect()]
        await asyncio.gather(*(system.pipeline.deliver(one) for one in both))
        await system.run()
        assert calls.SEEN == {"c": 1}, f"seed {seed}"
        assert (await system.report())["status"] == "succeeded"
