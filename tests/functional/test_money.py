"""What a run may spend: reserved before a call, settled with its result, and never passed."""

from __future__ import annotations

from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.domain.budgets.prices import PriceTable
from shared.domain.budgets.records import Balance
from shared.domain.commands import Signal
from shared.domain.envelope import ModelRequest
from shared.domain.records import RunRecord, Tokens
from shared.errors import ModelRefusedError, ModelUnreachableError
from shared.ports import ModelReply
from shared.testing.memory import ScriptedModel
from tests.functional.system import EVENT, System, echoing, flow, prompt

SHORT = prompt("short", "{{ text }}", parameters={"max_output_tokens": 100})
PICKY = prompt("picky", "{{ text }}", output={"type": "object", "required": ["n"]})
USD_A_TOKEN = 1e-6  # of the double
CHAIN = """
    a: {prompt: short, with: {text: one}}
    b: {needs: a, prompt: short, with: {text: two}}
"""
WIDE = "each: {foreach: event.data, prompt: short, with: {text: '{{ item }}'}}"


def limited(steps: str = CHAIN, more: str = "budget: {tokens: 1M}", **about: Any) -> System:
    about.setdefault("model", Billing(default=echoing))
    return System([flow(steps, SHORT, PICKY, more=more)], **about)


def balance(system: System, name: str | None = None) -> Balance:
    """How the account of the only run stands, or a named one."""
    path = f"budgets/{name or system.run_ids()[0]}"
    return Balance.of(system.world.documents.documents[path].data)


def holds(system: System) -> list[str]:
    return [path for path in system.world.documents.documents if "/holds/" in path]


def billed(system: System) -> int:
    """Tokens that the model has really answered with, all calls of all runs."""
    assert isinstance(system.model, Billing)
    return system.model.billed


class Billing(ScriptedModel):
    """Counts the tokens of its answers."""

    billed = 0

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        reply = await super().generate(request, seconds=seconds)
        self.billed += reply.tokens.input + reply.tokens.output
        return reply


async def ticks(system: System, times: int = 1) -> None:
    """`sweep` a minute later, and all that follows, so often."""
    for _ in range(times):
        system.world.clock.advance(61)
        await system.send("sweep", b"{}", {})
        await system.run()


async def test_what_is_spent_is_what_the_run_was_billed():
    system = limited(more="budget: {usd: 1, tokens: 1M, usd_per_day: 20}")
    await system.start()
    totals = (await system.report())["totals"]
    used = totals["tokens"]["input"] + totals["tokens"]["output"]
    for name in (None, "thing:2026-01-01"):
        after = balance(system, name)
        assert (after.spent.tokens, after.reserved.is_some) == (used, False)
        assert after.spent.usd == pytest.approx(totals["cost_usd"] * 1e6, abs=2)
    assert holds(system) == []


async def test_a_call_in_a_budget_costs_one_commit_more():
    """The hold with the account's count; both are settled with the step's own result."""
    plain, held = limited(more=""), limited()
    for system in (plain, held):
        await system.start()
        system.world.documents.reset_counts()
        await system.start()
    assert held.world.documents.commits == plain.world.documents.commits + 2
    reads = held.world.documents.reads - plain.world.documents.reads
    assert not reads
    writes = held.world.documents.writes.total() - plain.world.documents.writes.total()
    assert writes == 2 * 4


async def test_a_call_that_could_pass_the_limit_is_not_made():
    system = limited(more="budget: {tokens: 184}")
    await system.start()
    report = await system.report()
    assert report["error"]["code"] == "BudgetExceeded"
    assert "of 184 tokens" in report["error"]["message"]
    assert system.asked() == ["a: one"]
    assert billed(system) <= 184
    assert system.letter().error.code == "BudgetExceeded"


async def test_a_flow_may_provide_for_a_budget_that_is_used_up():
    last = f"c: {{needs: b, prompt: short, with: {{text: {'x' * 50}}}, fallback: {{value: later}}}}"
    steps = f"{CHAIN}    {last}"
    system = limited(steps, "budget: {tokens: 200}\noutputs: {c: '{{ c }}'}")
    await system.start()
    report = await system.report()
    assert report["status"] == "succeeded", report["error"]
    assert report["outputs"] == {"c": "later"}


@pytest.mark.parametrize("seed", range(3))
async def test_branches_at_once_cannot_pass_a_limit_together(seed: int):
    system = limited(WIDE, "budget: {tokens: 400}", seed=seed)
    await system.start([str(n) for n in range(8)])
    await ticks(system, 3)
    assert (await system.report())["status"] == "succeeded"
    assert balance(system).spent.tokens == billed(system) <= 400
    assert not balance(system).reserved.is_some


@pytest.mark.parametrize("point", POINTS)
async def test_what_a_call_cut_down_has_held_counts_as_spent(point: Point):
    system = limited()
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.pipeline.step("compose")
    await system.killed_at(point, "a")
    await system.run()
    assert (await system.report())["status"] == "succeeded"
    after = balance(system)
    assert not after.reserved.is_some
    assert holds(system) == []
    assert after.spent.tokens >= billed(system)
    lost = point == "worked"
    assert (after.spent.tokens > billed(system)) == lost


async def test_a_call_that_may_have_been_billed_counts_in_full():
    broken = [ModelUnreachableError("gone"), "An answer."]
    steps = "a: {prompt: short, with: {text: x}, retry: {attempts: 2}}"
    system = limited(steps, model=Billing({"short": broken}))
    await system.start()
    assert (await system.report())["status"] == "succeeded"
    assert balance(system).spent.tokens > 100 + billed(system)


async def test_a_failed_call_is_settled_with_its_bill():
    refused = ModelRefusedError("no")
    refused.reply = ModelReply("no", Tokens(input=7), "m")
    system = limited(model=Billing({"short": refused}))
    await system.start()
    assert balance(system).spent.tokens == 7
    assert holds(system) == []


async def test_a_repair_is_held_for_once_the_first_answer_is_settled():
    picky = "a: {prompt: picky, with: {text: x}}"
    system = limited(picky, model=Billing({"picky": ["nonsense", {"n": 1}]}))
    await system.start()
    assert (await system.report())["status"] == "succeeded"
    assert balance(system).spent.tokens == billed(system)


async def test_a_childs_calls_count_against_the_run_above_it():
    child = flow("a: {prompt: short, with: {text: x}}", SHORT, name="child", more="on: call")
    above = flow("below: {flow: child}", name="thing", more="budget: {tokens: 1000}")
    system = System([above, child], model=Billing(default=echoing))
    await system.start()
    owner = next(run for run in system.run_ids() if run.startswith("thing"))
    assert balance(system, owner).spent.tokens == billed(system) > 0


async def test_a_child_cannot_spend_more_than_the_run_above_it_has():
    child = flow(CHAIN, SHORT, name="child", more="on: call\nbudget: {tokens: 1M}")
    above = flow("below: {flow: child}", name="thing", more="budget: {tokens: 184}")
    system = System([above, child], model=Billing(default=echoing))
    await system.start()
    errors = {run.flow: run.error.code for run in _runs(system)}
    assert errors == {"child": "BudgetExceeded", "thing": "ChildFailed"}
    assert billed(system) <= 184


def _runs(system: System) -> list[RunRecord]:
    return system.stored("runs", RunRecord)


async def test_a_day_has_a_limit_for_all_runs_together():
    system = limited("a: {prompt: short, with: {text: x}}", "budget: {tokens_per_day: 200}")
    for n in range(12):
        await system.start(ce_id=str(n))
    ends = [run.status.value for run in _runs(system)]
    assert "failed" in ends
    assert "succeeded" in ends
    assert billed(system) <= 200
    system.world.clock.advance(86_400)
    await system.start(ce_id="tomorrow")
    assert [run.status.value for run in _runs(system)].count("succeeded") == ends.count(
        "succeeded"
    ) + 1


async def test_a_cheaper_model_is_asked_where_the_limit_is_near():
    rate = {"input": 1.0, "output": 1.0, "cached": 1.0}
    table = {
        "as_of": "2026-01-01",
        "source": "here",
        "models": {
            "gemini-2.5-flash": {"rate": dict.fromkeys(rate, 1000.0), "max_output": 100},
            "small": {"rate": rate, "max_output": 100},
        },
    }
    model = ScriptedModel(default=echoing, prices=PriceTable.model_validate(table))
    system = limited(more="budget: {usd: 0.184, on_breach: [{model: small}, stop]}", model=model)
    await system.start()
    report = await system.report()
    assert report["status"] == "succeeded", report["error"]
    assert [call.model for call in model.calls] == ["gemini-2.5-flash", "small"]
    assert report["steps"]["b"]["model"] == "small"
    assert balance(system).spent.usd <= 184_000


async def test_a_shorter_answer_is_asked_for_where_the_limit_is_near():
    steps = "a: {prompt: say, with: {text: x}}"
    system = limited(steps, "budget: {tokens: 900, on_breach: [{context: 800}, stop]}")
    await system.start()
    assert (await system.report())["status"] == "succeeded"
    assert system.model.calls[0].parameters["max_output_tokens"] < 800


# -- asking people ------------------------------------------------------------------------------

ASKS = "budget: {tokens: 184, on_breach: [ask, stop]}"


async def answered(
    system: System, *, approved: bool, ce_id: str = "answer", **more: object
) -> None:
    [run_id] = system.run_ids()
    data = {"approved": approved, **more}
    command = {"run": run_id, "name": "b", "data": data, "by": "ada"}
    await system.start(command, Signal.type, ce_id=ce_id)


async def test_a_step_asks_for_more_and_holds_no_compute_until_somebody_answers():
    system = limited(more=ASKS)
    await system.start()
    await ticks(system, 3)
    report = await system.report()
    assert (report["status"], report["steps"]["b"]["status"]) == ("running", "pending")
    assert report["steps"]["b"]["waits_for"]["for"] == "money"
    assert holds(system) == []
    await answered(system, approved=True)
    report = await system.report()
    assert report["status"] == "succeeded", report["error"]
    assert system.asked() == ["a: one", "b: two"]
    assert report["totals"]["budget"][0]["tokens"]["raised"] == balance(system).raised.tokens > 0


async def test_an_answer_counts_once_however_often_it_comes():
    system = limited(CHAIN.replace("needs: a", "needs: a, retry: {attempts: 2}"), ASKS)
    await system.start()
    for ce_id in ("answer", "answer", "another"):
        await answered(system, approved=True, ce_id=ce_id, tokens=1000)
    assert (await system.report())["status"] == "succeeded"
    assert balance(system).raised.tokens == 1000


async def test_who_rejects_stops_the_step():
    system = limited(more=ASKS)
    await system.start()
    await answered(system, approved=False)
    report = await system.report()
    assert report["error"]["code"] == "BudgetExceeded"
    assert "ada has rejected more" in report["error"]["message"]
    assert system.asked() == ["a: one"]


async def test_what_nobody_answers_stops_after_a_week_and_a_redrive_asks_again():
    system = limited(more=ASKS)
    await system.start()
    system.world.clock.advance(8 * 86_400)
    await ticks(system)
    report = await system.report()
    assert "nobody has allowed more within 7 days" in report["error"]["message"]
    await system.redrive()
    assert (await system.report())["steps"]["b"]["status"] == "pending"
    await answered(system, approved=True)
    assert (await system.report())["status"] == "succeeded"


@pytest.mark.parametrize("point", POINTS)
async def test_an_answer_survives_whoever_takes_it(point: Point):
    system = limited(more=ASKS)
    await system.start()
    [run_id] = system.run_ids()
    command = {"run": run_id, "name": "b", "data": {"approved": True, "tokens": 500}}
    await system.publish(Signal.type, command)
    [waiting] = [one for one in system.pipeline.collect() if one.stage == "route"]
    await system.killed_on(system.pipeline.take(waiting), point)
    await system.run()
    assert (await system.report())["status"] == "succeeded"
    assert balance(system).raised.tokens == 500
    assert system.asked() == ["a: one", "b: two"]


async def test_an_answer_that_is_none_is_refused():
    system = limited(more=ASKS)
    await system.start()
    await answered(system, approved=True, tokens=-1)
    reasons = [
        told["reason"] for level, _, told in system.world.telemetry.lines if level == "WARNING"
    ]
    assert reasons == ["unfit"]
    assert (await system.report())["steps"]["b"]["status"] == "pending"
