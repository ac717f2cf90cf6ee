"""A run that is cancelled in the middle of a call: what that held is given up, and counted."""

from __future__ import annotations

import pytest

from shared.delivery import attending
from shared.delivery.budgets.leaving import settle_left
from shared.domain.budgets.records import Balance
from shared.domain.envelope import ModelRequest
from shared.ports import Increment, ModelReply
from shared.testing.memory import ScriptedModel
from tests.functional.system import EVENT, System, flow
from tests.functional.test_cancel import Unanswering, cancelled, working

HELD = flow(
    "a: {prompt: say, with: {text: hello}}",
    more="budget: {tokens: 9000, tokens_per_day: 20000}",
)
DAY = "budgets/thing:2026-01-01"


def money(system: System) -> tuple[int, int, list[str]]:
    """What is spent and held of the day's account, in tokens, and by whom."""
    known = system.world.documents.documents
    balance = Balance.of(known[DAY].data)
    left = [path for path in known if "/holds/" in path]
    return balance.spent.tokens, balance.reserved.tokens, left


async def test_a_call_that_is_cut_off_counts_in_full_and_holds_nothing(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(attending, "LOOK_EVERY", 0)
    system = System([HELD], model=Unanswering())
    task = await working(system, "generate")
    [_, held, _] = money(system)
    await cancelled(system)
    await task
    assert money(system) == (held, 0, [])


class Overtaken(ScriptedModel):
    """Answers when the run has just been cancelled."""

    system: System

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        reply = await super().generate(request, seconds=seconds)
        [run_id] = self.system.run_ids()
        store, ended = self.system.world.documents, {"status": "cancelled"}
        step = Increment(f"runs/{run_id}/steps/a", {}, {**ended, "owner": ""})
        await store.commit([Increment(f"runs/{run_id}", {}, ended), step])
        return reply


async def test_a_call_that_was_answered_when_the_run_was_cancelled_counts_as_billed():
    asked = Overtaken()
    system = asked.system = System([HELD], model=asked)
    await system.start()
    [report] = [one for one in system.world.telemetry.reports if one.stage == "generate"]
    assert report.usage is not None
    billed = report.usage.tokens.input + report.usage.tokens.output
    assert (report.outcome, money(system)) == ("cancelled", (billed, 0, []))


async def test_what_a_dead_instance_held_for_a_cancelled_run_counts_when_its_time_is_over():
    system = System([HELD])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.pipeline.step("compose")
    await system.killed_at("worked", "a")
    [_, held, _] = money(system)
    await cancelled(system)
    assert money(system)[1] == held
    for _ in range(2):
        system.world.clock.advance(400)
        await system.send("sweep", b"", {"content-type": "application/json"})
        await system.run()
        assert money(system) == (held, 0, [])


class Late(ScriptedModel):
    """Answers its first question when whoever asked has long been given up."""

    system: System

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        reply = await super().generate(request, seconds=seconds)
        if len(self.calls) == 1:
            self.system.world.clock.advance(1000)
            await settle_left(self.system.pipeline.deps("sweep"))
        return reply


async def test_a_hold_is_counted_once_though_its_call_is_answered_after_all():
    asked = Late()
    system = asked.system = System([HELD], model=asked)
    await system.publish(EVENT)
    await system.run()
    report = await system.report()
    assert (report["status"], len(asked.calls)) == ("succeeded", 2)
    used = report["totals"]["tokens"]
    spent, held, left = money(system)
    assert (held, left) == (0, [])
    assert spent > used["input"] + used["output"]
