"""A model's quota holds for all flows together; what waits is put off, and nothing is lost."""

from __future__ import annotations

from collections import Counter

from shared.domain.model_calls.quotas import Quotas
from shared.domain.records import RunRecord
from shared.errors import ModelBusyError
from shared.testing.memory import ScriptedModel
from tests.functional.system import EVENT, System, echoing, flow

MODEL = "gemini-2.5-flash"
MANY = flow("each: {foreach: event.data, prompt: say, with: {text: '{{ item }}'}}")


def limited(*flows, per_minute: int, **about) -> System:
    quota = {"requests_per_minute": per_minute}
    return System(flows, quotas=Quotas.model_validate({"models": {MODEL: quota}}), **about)


def calls_by_window(system: System) -> Counter[int]:
    """Calls that were made in each ten seconds."""
    calls = [call for report in system.world.telemetry.reports for call in report.calls]
    return Counter(int(call.started_at.timestamp()) // 10 for call in calls)


async def ticks(system: System, times: int) -> None:
    for _ in range(times):
        system.world.clock.advance(61)
        await system.send("sweep", b"", {"content-type": "application/json"})
        await system.run()


async def test_no_more_calls_are_made_than_the_quota_lets_through():
    system = limited(MANY, per_minute=30)
    await system.start([str(n) for n in range(18)])
    assert (await system.report())["status"] == "succeeded"
    assert max(calls_by_window(system).values()) <= 5
    assert calls_by_window(system).total() == 18


async def test_a_step_that_would_wait_too_long_is_put_off_and_not_dropped():
    steps = "each: {foreach: event.data, timeout: 3s, prompt: say, with: {text: '{{ item }}'}}"
    system = limited(flow(steps), per_minute=6)
    await system.start(["a", "b", "c"])
    assert (await system.statuses())["each"] == "running"
    await ticks(system, 4)
    report = await system.report()
    assert report["status"] == "succeeded"
    items = report["steps"]["each"]["items"]
    outcomes = {one["outcome"] for item in items for one in item["ledger"]}
    assert outcomes == {"succeeded", "deferred"}
    assert max(calls_by_window(system).values()) == 1


async def test_a_call_in_a_quota_costs_a_write_and_one_without_costs_nothing():
    costs = []
    for per_minute in (0, 600):
        system = limited(MANY, per_minute=per_minute) if per_minute else System([MANY])
        await system.start(["a"], ce_id="warm")
        system.world.documents.reset_counts()
        await system.start(["a"], ce_id="next")
        costs.append(system.world.documents.writes.total())
    assert costs[1] == costs[0] + 1


async def test_what_a_model_refuses_is_learnt():
    model = ScriptedModel({"say": [ModelBusyError("429"), "well"]}, default=echoing)
    system = limited(flow("a: {prompt: say, with: {text: x}}"), per_minute=60, model=model)
    await system.publish(EVENT)
    await system.run()
    assert [run.status.value for run in system.stored("runs", RunRecord)] == ["succeeded"]
    told = [text for _, text, _ in system.world.telemetry.lines]
    assert f"{MODEL} refuses: 50% of its quota is used from now on" in told
