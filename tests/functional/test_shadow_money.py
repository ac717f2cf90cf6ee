"""Shadows take no money and no quota that runs may need: they are asked with what is left."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.delivery.rollouts.telling import rollout_report
from shared.domain.model_calls.breaker import BreakerRecord, breaker_path
from shared.domain.model_calls.quotas import NO_QUOTAS, LearntRecord, Quotas, learnt_path
from shared.domain.rollouts.shadows import ComparisonRecord
from shared.ports import Put
from tests.functional.rollouts import pushed, several, with_rollouts
from tests.functional.system import EVENT, System, echoing, flow, prompt
from tests.functional.test_money import Billing, balance, holds, ticks

SHADOWED = "{rollout: x, of: {prompt: say}, shadow: {candidate: staging}}"
MODEL = "gemini-2.5-flash"
SHORT = {"max_output_tokens": 100}
LOUD = prompt("say", "LOUD {{ text }}", parameters=SHORT)
DAY = "thing:2026-01-01"


async def shadowed(
    budget: str = "", candidate: object = LOUD, quotas: Quotas = NO_QUOTAS
) -> System:
    """A flow that asks once, with a shadow of its prompt."""
    usual = prompt("say", "{{ text }}", parameters=SHORT)
    steps = "a: {prompt: say, with: {text: '{{ event.data.text }}'}}"
    known = with_rollouts(flow(steps, usual, more=budget), rollouts=SHADOWED)
    system = System(known, model=Billing(default=echoing), quotas=quotas)
    await pushed(system, "staging", candidate)
    return system


def taking(per_minute: int) -> Quotas:
    return Quotas.model_validate({"models": {MODEL: {"requests_per_minute": per_minute}}})


async def comparison(system: System) -> ComparisonRecord:
    """What is recorded of the only shadow, once all that can be compared is."""
    await ticks(system)
    [one] = system.stored("comparisons", ComparisonRecord)
    return one


async def test_what_a_shadow_spends_is_the_days_and_not_the_runs():
    system = await shadowed("budget: {tokens: 1M, usd_per_day: 20, tokens_per_day: 1M}")
    [run] = await several(system, 1)
    one = await comparison(system)
    used = (await system.report())["totals"]["tokens"]
    own, day = balance(system, run.run_id), balance(system, DAY)
    shadow = one.candidate.tokens
    assert own.spent.tokens == used["input"] + used["output"]
    assert day.spent.tokens - own.spent.tokens == shadow.input + shadow.output > 0
    assert (day.reserved.is_some, holds(system)) == (False, [])
    assert one.candidate.cost_usd
    report = await rollout_report("x", system.pipeline.deps())
    assert report["comparisons"]["cost_usd"] == one.candidate.cost_usd


async def test_a_shadow_that_could_pass_half_of_the_days_limit_is_not_asked_and_that_is_told():
    system = await shadowed("budget: {tokens_per_day: 300}")
    await several(system, 1)
    one = await comparison(system)
    assert (await system.report())["status"] == "succeeded"
    assert (one.skipped, one.open, one.equal) == (True, False, None)
    assert one.candidate.error is not None
    assert one.candidate.error.code == "ShadowSkipped"
    assert "flow thing on 2026-01-01, with its shadows, has spent" in one.candidate.error.message
    assert len(system.asked()) == 1
    assert holds(system) == []
    found = (await rollout_report("x", system.pipeline.deps()))["comparisons"]
    assert (found["compared"], found["failed"], found["skipped"]) == (0, 0, 1)
    outcomes = [report.outcome for report in system.world.telemetry.reports]
    assert outcomes.count("shadow-skipped") == 1


@pytest.mark.parametrize("point", POINTS)
async def test_a_shadow_cut_down_keeps_no_money_from_runs(point: Point):
    system = await shadowed("budget: {tokens: 1M, tokens_per_day: 1M}")
    await system.publish(EVENT, {"text": "t"})
    while waiting := system.pipeline.collect():
        first = system.pipeline.take(waiting[0])
        if first.attempt == 1 and first.stage == "generate":
            await system.killed_on(first, point)
        else:
            await system.pipeline.deliver(first)
        system.world.clock.advance(20)
    await ticks(system, 6)
    assert isinstance(system.model, Billing)
    day = balance(system, DAY)
    assert (day.reserved.is_some, holds(system)) == (False, [])
    assert day.spent.tokens >= system.model.billed
    assert len(system.stored("comparisons", ComparisonRecord)) == 1


@pytest.mark.parametrize(("per_minute", "asked"), [(6, 1), (12, 2)])
async def test_a_shadow_is_asked_with_quota_that_runs_leave(per_minute: int, asked: int):
    system = await shadowed(quotas=taking(per_minute))
    await several(system, 1)
    one = await comparison(system)
    assert (len(system.asked()), one.skipped) == (asked, asked == 1)
    documents = system.world.documents.documents
    windows = [found.data for path, found in documents.items() if path.startswith("quotas/")]
    assert sum(one["requests"] for one in windows) == asked
    assert sum(name.startswith("asks_") for one in windows for name in one) == 1


@pytest.mark.parametrize(("well", "asked"), [([], None), (["b"], "b"), (["a", "b"], "a")])
async def test_a_shadow_asks_no_model_that_is_not_well(well: list[str], asked: str | None):
    head = {"parameters": SHORT, "models": ["a", "b"], "model": "a"}
    system = await shadowed(candidate=prompt("say", "LOUD {{ text }}", **head))
    now = system.world.clock.now()
    for name in {"a", "b"} - set(well):
        record = BreakerRecord(
            model=name, since=now, opened=1, until=now, expire_at=now + timedelta(days=1)
        )
        await system.world.documents.commit([Put(breaker_path(name), record.document())])
    await several(system, 1)
    one = await comparison(system)
    assert isinstance(system.model, Billing)
    assert {call.model for call in system.model.calls} - {MODEL} == ({asked} if asked else set())
    assert one.skipped is (asked is None)


async def test_a_flow_in_shadow_is_put_off_while_runs_need_the_quota():
    old = flow("a: {prompt: say, with: {text: x}}", name="old")
    new = flow("a: {prompt: say, with: {text: y}}", name="new", more="on: call")
    rollout = "{rollout: x, of: {flow: old}, shadow: {candidate: new}}"
    system = System(with_rollouts(old, new, rollouts=rollout), quotas=taking(12))
    now = system.world.clock.now()
    learnt = LearntRecord(model=MODEL, factor=950, at=now, expire_at=now)  # it was refused of late
    await system.world.documents.commit([Put(learnt_path(MODEL), learnt.document())])
    await system.start({})
    assert system.asked() == ["a: x"]
    await ticks(system, 2)
    assert system.asked() == ["a: x", "a: y"]
    [one] = system.stored("comparisons", ComparisonRecord)
    assert (one.candidate.error, one.skipped) == (None, False)
