"""Deadlines and expiry: what a tick does, and that a missed one loses nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.domain.records import DeadLetterRecord, RunRecord
from shared.ports import Create
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

SLOW = flow(
    """
    a: {call: test.count, with: {name: a}}
    b: {needs: a, call: test.count, with: {name: b, value: 2}}
    """,
    more="timeout: 10m\noutputs: {b: '{{ b }}'}",
)


async def tick(system: System) -> None:
    await system.send("sweep", b"", {})
    await system.pipeline.step("sweep")


async def started() -> System:
    """A run whose first step waits to be delivered."""
    system = System([SLOW])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    return system


async def overdue() -> System:
    system = await started()
    system.world.clock.advance(timedelta(minutes=10))
    await tick(system)
    return system


async def test_a_run_within_its_deadline_is_left_alone():
    system = await started()
    system.world.clock.advance(timedelta(minutes=9))
    await tick(system)
    assert (await system.report())["status"] == "running"
    await system.run()
    assert (await system.report())["status"] == "succeeded"


async def test_a_run_past_its_deadline_fails():
    report = await (await overdue()).report()
    assert (report["status"], report["error"]["code"]) == ("failed", "RunTimeout")
    assert "had until 2026-01-01 00:1" in report["error"]["message"]
    assert report["error"]["step"] is None


async def test_a_late_step_does_not_change_a_run_that_timed_out():
    system = await overdue()
    [run_id] = system.run_ids()
    before = system.world.documents.documents[f"runs/{run_id}"]
    await system.run()
    assert system.world.documents.documents[f"runs/{run_id}"] == before
    assert calls.SEEN == {}


async def test_a_prompt_step_of_a_run_that_timed_out_asks_no_model():
    steps = "a: {prompt: say, with: {text: hi}}\nb: {needs: a, call: test.count, with: {name: b}}"
    system = System([flow(steps, more="timeout: 10m")])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    system.world.clock.advance(601)
    await tick(system)
    await system.run()
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "RunTimeout")
    assert await system.statuses() == {"a": "pending", "b": "pending"}
    assert calls.SEEN == {}
    assert not system.model.calls


async def test_a_run_that_timed_out_goes_on_by_its_id_and_gets_its_time_again():
    system = await overdue()
    [run_id] = system.run_ids()
    await system.run()
    await system.redrive(run_id)
    await tick(system)
    report = await system.report()
    assert (report["status"], report["outputs"], report["redrives"]) == ("succeeded", {"b": 2}, 1)
    assert calls.SEEN == {"a": 1, "b": 1}


async def test_a_finished_run_cannot_time_out():
    system = System([SLOW])
    await system.start()
    [run] = system.stored("runs", RunRecord)
    assert run.deadline is None
    system.world.clock.advance(timedelta(days=1))
    await tick(system)
    assert (await system.report())["status"] == "succeeded"


async def test_missed_ticks_lose_nothing():
    system = System([SLOW])
    for _ in range(450):
        await system.publish(EVENT)
        await system.pipeline.step("route")
    system.world.clock.advance(timedelta(hours=5))
    for _ in range(3):
        await tick(system)
    assert {run.status for run in system.stored("runs", RunRecord)} == {"failed"}


async def test_what_has_expired_is_deleted_with_what_hangs_below_it():
    forks = flow("a: {call: test.echo}\nb: {call: test.echo}\nc: {needs: [a, b], call: test.echo}")
    system = System([forks])
    await system.start()
    await system.send("events", b"{" * 500_000, {"ce-type": EVENT})
    await system.run()
    before = set(system.world.documents.documents)
    assert {path.split("/")[0] for path in before} >= {"events", "runs", "dead_letters", "blobs"}
    assert any("/joins/" in path for path in before)
    assert any("/pieces/" in path for path in before)
    [run] = system.run_ids()
    noted = Create(f"runs/{run}/blackboard/plan", {"expire_at": system.pipeline.deps().expire_at()})
    await system.world.documents.commit([noted])
    before.add(noted.path)
    system.world.clock.advance(timedelta(days=29))
    await tick(system)
    assert set(system.world.documents.documents) == before
    system.world.clock.advance(timedelta(days=2))
    await tick(system)
    left = {path.split("/")[0] for path in system.world.documents.documents}
    assert left == {"flows"}


async def test_expiry_takes_as_many_ticks_as_it_needs():
    system = System([SLOW])
    for _ in range(450):
        await system.publish("nobody.cares")
    await system.run()
    system.world.clock.advance(timedelta(days=31))
    counts = []
    for _ in range(3):
        await tick(system)
        counts.append(len(system.world.documents.documents))
    assert counts == [250, 50, 0]


async def test_a_tick_delivered_twice_does_no_harm():
    system = await overdue()
    before = dict(system.world.documents.documents)
    await tick(system)
    assert system.world.documents.documents == before


@pytest.mark.parametrize("data", [b"", b"{}", b"garbage"])
async def test_any_message_is_a_tick(data: bytes):
    system = await started()
    system.world.clock.advance(601)
    await system.send("sweep", data, {"x": "y"})
    await system.pipeline.step("sweep")
    assert (await system.report())["status"] == "failed"
    assert system.stored("dead_letters", DeadLetterRecord) == []


async def test_a_blob_that_is_used_again_is_kept_as_long_as_its_newest_user():
    system = System([SLOW])
    clock, store = system.world.clock, system.world.documents
    blobs = system.pipeline.deps().blobs
    first = await blobs.put(b"x", clock.now() + timedelta(days=30))
    clock.advance(timedelta(days=20))
    assert await blobs.put(b"x", clock.now() + timedelta(days=30)) == first
    clock.advance(timedelta(days=15))
    await tick(system)
    assert f"blobs/{first}" in store.documents
