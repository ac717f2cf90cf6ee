"""A model's quota holds for all flows together; what waits is put off, and nothing is lost."""

from __future__ import annotations

from collections import Counter

import pytest

from shared.domain.model_calls.quotas import LearntRecord, Quotas, learnt_path
from shared.domain.records import RunRecord, Tokens
from shared.errors import ModelBusyError, ModelEmptyError
from shared.ports import ModelReply
from shared.testing.memory import ScriptedModel
from tests.functional.agents import agent, asks, model, tools
from tests.functional.system import EVENT, System, echoing, flow

MODEL = "gemini-2.5-flash"
MANY = flow("each: {foreach: event.data, prompt: say, with: {text: '{{ item }}'}}")


def limited(*flows, per_minute: int, fair: object = "flow", **about) -> System:
    quota = {"requests_per_minute": per_minute, "fair": fair}
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


def _empty() -> ModelEmptyError:
    error = ModelEmptyError("no text")
    error.refusals = 1
    return error


@pytest.mark.parametrize(
    "said", [ModelReply("well", Tokens(), MODEL, refusals=2), [_empty(), "well"]]
)
async def test_what_was_waited_out_in_the_request_is_learnt_too(said: ModelReply):
    asked = ScriptedModel({"say": said}, default=echoing)
    steps = "a: {prompt: say, with: {text: x}, retry: {attempts: 2, on: ModelEmpty}}"
    system = limited(flow(steps), per_minute=60, model=asked)
    await system.start()
    assert (await system.report())["status"] == "succeeded"
    learnt = system.world.documents.documents[learnt_path(MODEL)]
    assert LearntRecord.of(learnt.data).factor == 500


# -- shares -------------------------------------------------------------------------------------

OWN = "concurrency: {limit: 9, key: event.data.customer}"


def sharers(system: System) -> set[str]:
    """What has asked in any window, each of which has a share."""
    documents = system.world.documents.documents
    windows = [found.data for path, found in documents.items() if path.startswith("quotas/")]
    return {name for one in windows for name in one if name.startswith("asks_")}


@pytest.mark.parametrize(
    ("fair", "more", "shares"),
    [
        ("flow", OWN, 1),
        ("key", OWN, 2),
        ("key", "", 1),  # the flow has none
        ({"key": "event.data.customer"}, "", 2),
        ({"key": "event.data.nothing"}, "", 1),  # so the flow is what shares
    ],
)
async def test_a_share_is_a_flows_or_a_keys(fair: object, more: str, shares: int):
    steps = "a: {prompt: say, with: {text: x}}"
    system = limited(flow(steps, more=more), per_minute=60, fair=fair)
    for customer in ("ada", "bob", "ada"):
        await system.start({"customer": customer})
    assert len(sharers(system)) == shares
    assert {run.status.value for run in system.stored("runs", RunRecord)} == {"succeeded"}
    told = [text for level, text, _ in system.world.telemetry.lines if level == "WARNING"]
    assert any("shares its quota as a whole" in text for text in told) == ("nothing" in str(fair))


async def test_an_agents_later_turns_are_its_keys_too():
    known = {"key": "event.data.n"}
    with tools():
        turns = model(asks(("look", {"n": 1})), "Done.")
        system = limited(agent("tools: [look]"), per_minute=600, fair=known, model=turns)
        await system.start({"n": 7})
    assert (await system.report())["status"] == "succeeded"
    [sharer] = sharers(system)
    assert len(turns.calls) == 2
    assert sharer.startswith("asks_key")
