"""A run that is cancelled ends at once: nothing of it begins any more, what works is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from shared.delivery import attending
from shared.delivery.crashpoints import POINTS, Point
from shared.domain.commands import Cancel
from shared.domain.envelope import ModelRequest
from shared.domain.records import RunRecord, StepRecord
from shared.errors import RedriveRefusedError
from shared.ports import Increment, ModelReply, Write, Written
from shared.testing.memory import MemoryStore, ScriptedModel
from shared.testing.pipeline import Crash
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

WHOLE = flow(
    """
    a: {call: test.count, with: {name: a}}
    said: {needs: a, prompt: say, with: {text: hello}}
    b: {needs: a, call: test.count, with: {name: b}}
    off: {needs: a, when: "false", call: test.count, with: {name: off}}
    each:
      needs: a
      foreach: {in: "range(6)", max_parallel: 2}
      call: test.count
      with: {name: "i{{ item }}"}
    later:
      needs: a
      call: test.fail
      retry: {attempts: 2, backoff: {initial: 60s}}
      on_error: continue
    tip: {needs: [said, b, each, later], call: test.count, with: {name: tip}}
    """
)
ENDED = {"succeeded", "skipped", "failed", "cancelled"}


async def cancelled(system: System, run_id: str | None = None, **about: str) -> None:
    """Asks for it, and delivers until nothing is left."""
    [run_id] = [run_id] if run_id else system.run_ids()
    await system.start({"run": run_id, **about}, Cancel.type)


def steps(system: System) -> dict[str, StepRecord]:
    [run_id] = system.run_ids()
    return {step.step: step for step in system.stored(f"runs/{run_id}/steps", StepRecord)}


def require_over(system: System) -> None:
    """The run has ended as cancelled, with all that is recorded of it, and nobody has to see to it.

    Every step is recorded, so that nothing under way to one can begin.
    """
    [run] = system.stored("runs", RunRecord)
    assert run.status == "cancelled"
    assert run.finished_at is not None
    records = steps(system)
    assert {record.status for record in records.values()} <= ENDED
    assert set(WHOLE.flow.steps) <= records.keys()
    assert system.letters() == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("after", range(0, 24, 2))
async def test_a_run_can_be_cancelled_at_every_moment(after: int, seed: int):
    system = System([WHOLE], seed=seed)
    await system.publish(EVENT)
    await system.pipeline.step("route")
    for _ in range(after):
        await system.pipeline.step()
    [run_id] = system.run_ids()
    await system.publish(Cancel.type, {"run": run_id, "reason": "wrong topic", "by": "ada"})
    await system.pipeline.step("route")
    require_over(system)
    seen, asked, records = dict(calls.SEEN), len(system.asked()), steps(system)
    await system.run()
    system.world.clock.advance(600)
    await system.send("sweep", b"", {"content-type": "application/json"})
    await system.run()
    assert (calls.SEEN, len(system.asked()), steps(system)) == (seen, asked, records)
    [run] = system.stored("runs", RunRecord)
    assert run.error is not None
    told = (run.error.code, run.error.message)
    assert told == ("RunCancelled", "cancelled by ada: wrong topic")


async def test_what_has_ended_stays_as_it_ended():
    system = System([WHOLE])
    await system.start()  # until `later` is put off
    before = await system.statuses()
    assert (before["each"], before["later"]) == ("succeeded", "pending")
    await cancelled(system)
    after = await system.statuses()
    assert after == {**before, "later": "cancelled", "tip": "cancelled"}


async def test_a_run_that_has_ended_is_not_cancelled_any_more():
    system = System(
        [flow("a: {call: test.echo, with: {value: 1}}", more="outputs: {a: '{{ a }}'}")]
    )
    await system.start()
    before = dict(system.world.documents.documents)
    await cancelled(system)
    assert system.world.documents.documents == before
    [line] = [line for line in system.world.telemetry.lines if line[0] == "WARNING"]
    assert "it has succeeded already" in line[1]


async def test_a_run_that_is_not_there_is_told_of():
    system = System([WHOLE])
    await cancelled(system, "thing-1234")
    assert system.letters() == []
    [line] = [line for line in system.world.telemetry.lines if line[0] == "WARNING"]
    assert "there is none" in line[1]


async def test_cancelling_twice_is_cancelling_once():
    system = System([WHOLE])
    await system.start()
    await cancelled(system, reason="first")
    before = dict(system.world.documents.documents)
    await cancelled(system, reason="second")
    assert system.world.documents.documents == before
    ends = [line for line in system.world.telemetry.lines if line[2].get("kind") == "run_ended"]
    assert [(line[0], line[2]["status"]) for line in ends] == [("WARNING", "cancelled")]


class Dying:
    """A store whose process dies right after the commit that it is told to, counted from then."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.left = -1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        written = await self._store.commit(writes)
        self.left -= 1
        if self.left == 0:
            raise Crash
        return written


@pytest.mark.parametrize("commits", [1, 2, 3])
async def test_a_cancelling_that_dies_is_completed_by_its_redelivery(commits: int):
    system = System([WHOLE], store=Dying)
    await system.publish(EVENT)
    for _ in range(6):
        await system.pipeline.step()
    [run_id] = system.run_ids()
    await system.publish(Cancel.type, {"run": run_id})
    system.world.store.left = commits
    await system.pipeline.step("route")
    assert len(system.pipeline.cut_down) == 1
    await system.run()
    require_over(system)


# -- work under way -----------------------------------------------------------------------------

HANGING = flow("a: {call: test.hang}\nb: {needs: a, call: test.count, with: {name: b}}")


@pytest.fixture
def _looking_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works looks again whenever it is anybody's turn."""
    monkeypatch.setattr(attending, "LOOK_EVERY", 0)


async def working(system: System, stage: str) -> asyncio.Task[bool]:
    """A delivery that hangs in its work."""
    await system.publish(EVENT)
    await system.pipeline.step("route")
    if stage == "generate":
        await system.pipeline.step("compose")
    task = asyncio.create_task(system.pipeline.step(stage))
    for _ in range(50):  # it is at work by then
        await asyncio.sleep(0)
    assert any(record.owner for record in steps(system).values())
    return task


@pytest.mark.usefixtures("_looking_always")
async def test_work_under_way_is_cut_off_and_needs_nobody():
    system = System([HANGING])
    task = await working(system, "act")
    [run_id] = system.run_ids()
    await system.publish(Cancel.type, {"run": run_id})
    await system.pipeline.step("route")
    await task
    [report] = [one for one in system.world.telemetry.reports if one.stage == "act"]
    assert (report.disposition, report.outcome) == ("ack", "cancelled")
    await system.run()
    assert (await system.statuses(), system.letters()) == ({"a": "cancelled", "b": "cancelled"}, [])
    assert system.pipeline.deliveries["act"] == 1
    [attempt] = steps(system)["a"].attempts
    assert attempt.outcome == "cancelled"


@pytest.mark.usefixtures("_looking_always")
async def test_a_question_that_is_cut_off_is_billed_all_the_same():
    model = Unanswering()
    system = System([flow("a: {prompt: say, with: {text: hi}}")], model=model)
    task = await working(system, "generate")
    [run_id] = system.run_ids()
    await system.publish(Cancel.type, {"run": run_id})
    await system.pipeline.step("route")
    await task
    [report] = [one for one in system.world.telemetry.reports if one.stage == "generate"]
    assert report.outcome == "cancelled"
    assert report.usage is not None
    assert report.usage.llm_calls == 1
    assert [call.error.code for call in report.calls if call.error] == ["Cancelled"]


class Unanswering(ScriptedModel):
    """Never says anything."""

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        await asyncio.Event().wait()
        return await super().generate(request, seconds=seconds)


@pytest.mark.usefixtures("_looking_always")
async def test_work_that_somebody_else_has_taken_over_is_cut_off_too():
    system = System([HANGING])
    task = await working(system, "act")
    [record] = steps(system).values()
    path = f"runs/{record.run_id}/steps/a"
    await system.world.documents.commit([Increment(path, {"fence": 1}, {"owner": "somebody"})])
    await task
    [report] = [one for one in system.world.telemetry.reports if one.stage == "act"]
    assert (report.disposition, report.error and report.error.code) == ("nack", "ClaimLost")


async def test_a_wait_between_two_tries_ends_without_another_try():
    calls.BROKEN.add("bad")
    system = System(
        [flow("a: {call: test.count, with: {name: bad}, retry: {attempts: 3}}")], store=Cancelling
    )
    await system.start()
    assert calls.SEEN["bad"] == 1
    assert (await system.report())["status"] == "cancelled"
    assert system.pipeline.deliveries["act"] == 1


class Cancelling(Dying):
    """Somebody cancels the run right after a try was recorded to have failed."""

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        written = await super().commit(writes)
        if "'retried'" in str(writes[0].data):  # type: ignore[union-attr]
            path = writes[0].path
            ended = {"status": "cancelled", "owner": ""}
            run = "/".join(path.split("/")[:2])
            await self._store.commit([Increment(run, {}, {"status": "cancelled"})])
            await self._store.commit([Increment(path, {}, ended)])
        return written


async def test_work_that_is_over_soon_costs_no_read():
    system = System([flow("a: {prompt: say, with: {text: hi}}")])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    system.world.documents.reset_counts()
    await system.run()
    [run_id] = system.run_ids()
    assert system.world.documents.reads[f"runs/{run_id}/steps/a"] == 0
    assert system.world.documents.writes[f"runs/{run_id}/steps/a"] == 2


# -- races --------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", POINTS)
async def test_work_that_ends_after_the_run_was_cancelled_starts_nothing(point: Point):
    """The cancel arrives while a worker is at `point` of a step; whichever commits first wins."""
    system = System([WHOLE])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.killed_at(point, "a")
    await cancelled(system)
    require_over(system)
    assert calls.SEEN["tip"] == calls.SEEN["b"] == 0
    assert steps(system)["a"].status == (
        "succeeded" if point in {"committed", "emitted"} else "cancelled"
    )


async def test_a_redrive_does_not_bring_a_cancelled_run_back():
    system = System([WHOLE])
    await system.start()
    await cancelled(system)
    [run_id] = system.run_ids()
    with pytest.raises(RedriveRefusedError, match="was cancelled"):
        await system.redrive(run_id)
    require_over(system)
