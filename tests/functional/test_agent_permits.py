"""Calls of tools that a person decides on: before they begin, or because nobody knows of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from shared.delivery.crashpoints import Point
from shared.ports import Create, Write, Written
from shared.testing.memory import ManualClock, MemoryStore
from tests.functional.agents import BROKEN, agent, asks, made, model, parts, tools
from tests.functional.system import EVENT, System
from tests.functional.test_agents import to_the_message_of

PAY = asks(("pay", {"n": 2}), ("look", {"n": 1}))
CALL = "help[turn-1.call-0]"


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with tools():
        yield


class StandingStill:
    """A store whose answer to the claim of the call comes after the lease."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.clock = ManualClock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        written = await self._store.commit(writes)
        if any(isinstance(one, Create) and one.path.endswith(CALL) for one in writes):
            self.clock.advance(700)
        return written


async def says(system: System, call: str = CALL, by: str = "ada", **data: Any) -> None:
    """A person says this of a call."""
    [run] = system.run_ids()
    told = {"run": run, "name": call, "by": by, "data": data}
    await system.start(told, "segue.run.signal")


@pytest.mark.parametrize("approval", ["always", "{when: args.n > event.data.n}"])
async def test_a_call_waits_for_an_approval_and_holds_no_compute(approval: str):
    asked = model(PAY, "Paid.")
    system = System([agent(f"tools: [look, {{tool: pay, approval: {approval}}}]")], model=asked)
    await system.start({"n": 1})
    assert (made(), len(asked.calls)) == ({"look": 1}, 1)
    report = await system.report()
    assert report["status"] == "waiting"
    assert parts(system)[CALL].status == "waiting"
    await says(system, approved=True)
    assert made() == {"look": 1, "pay": 1}
    assert (await system.report())["outputs"] == {"said": "Paid."}


async def test_a_call_whose_condition_does_not_hold_begins_at_once():
    tool = "{tool: pay, approval: {when: args.n > 100}}"
    system = System([agent(f"tools: [look, {tool}]")], model=model(PAY, "Paid."))
    await system.start({"n": 1})
    assert (await system.report())["status"] == "succeeded"


@pytest.mark.parametrize("approval", ["always", "{when: args.n > 1}"])
@pytest.mark.parametrize("args", [{}, {"n": "2"}])
async def test_nobody_is_asked_about_arguments_that_break_the_schema(
    approval: str, args: dict[str, Any]
):
    asked = model(asks(("pay", args)), "I said it wrong.")
    system = System([agent(f"tools: [{{tool: pay, approval: {approval}}}]")], model=asked)
    await system.start({"n": 1})
    assert made() == {}
    told = asked.calls[1].said[1].parts[0]["functionResponse"]["response"]["error"]
    assert told["code"] == "ToolArguments"
    assert (await system.report())["outputs"] == {"said": "I said it wrong."}


async def test_a_rejection_is_told_to_the_model():
    asked = model(PAY, "Then not.")
    system = System([agent("tools: [look, {tool: pay, approval: always}]")], model=asked)
    await system.start({"n": 1})
    await says(system, approved=False, comment="too dear")
    assert made() == {"look": 1}
    told = asked.calls[1].said[1].parts[0]["functionResponse"]["response"]["error"]
    assert told["code"] == "ToolRejected"
    assert "ada rejected it: too dear" in told["message"]
    assert (await system.report())["outputs"] == {"said": "Then not."}


async def test_only_approvers_approve():
    tool = "{tool: pay, approval: always, approvers: [ada]}"
    system = System([agent(f"tools: [look, {tool}]")], model=model(PAY, "Paid."))
    await system.start({"n": 1})
    await says(system, by="eve", approved=True)
    assert made() == {"look": 1}
    await says(system, approved=True)
    assert made() == {"look": 1, "pay": 1}


# -- unknown ------------------------------------------------------------------------------------


async def unknown(point: Point = "worked") -> System:
    """An instance dies while it pays."""
    system = System([agent()], model=model(PAY, "Done."))
    await system.publish(EVENT, {"n": 1}, ce_id="e1")
    await to_the_message_of(system, CALL, "act")
    await system.killed_at(point, CALL)
    await system.run()
    assert parts(system)[CALL].status == "waiting"
    assert (await system.report())["status"] == "waiting"
    return system


async def test_an_unsafe_call_of_which_nobody_knows_is_not_made_again():
    system = await unknown()
    assert made() == {"look": 1, "pay": 1}
    for topic, _, message in list(system.world.messages.published):
        await system.send(topic, message.data, message.attributes)
    await system.run()
    assert made() == {"look": 1, "pay": 1}


async def test_an_instance_that_stood_still_since_its_claim_makes_no_call():
    system = System([agent()], model=model(PAY, "Done."), store=StandingStill)
    store = system.world.store
    assert isinstance(store, StandingStill)
    store.clock = system.world.clock
    await system.publish(EVENT, {"n": 1}, ce_id="e1")
    await to_the_message_of(system, CALL, "act")
    await system.run()
    assert made() == {"look": 1}
    assert parts(system)[CALL].status == "waiting"  # as far as is recorded, nobody knows
    await says(system, approved=True)
    assert made() == {"look": 1, "pay": 1}


async def test_somebody_says_that_it_happened():
    system = await unknown()
    await says(system, happened=True, result="paid 2")
    assert made() == {"look": 1, "pay": 1}
    assert parts(system)[CALL].output == "paid 2"
    assert (await system.report())["status"] == "succeeded"


async def test_somebody_says_that_it_did_not_happen():
    system = await unknown("claimed")
    assert made() == {"look": 1}
    await says(system, approved=True)
    assert made() == {"look": 1, "pay": 1}
    assert parts(system)[CALL].output == "paid 2"


async def test_somebody_gives_up():
    system = await unknown()
    await says(system, approved=False)
    assert made() == {"look": 1, "pay": 1}
    assert parts(system)[CALL].output["error"]["code"] == "ToolRejected"
    assert (await system.report())["status"] == "succeeded"


async def test_an_unsafe_call_whose_receiver_does_not_answer_is_unknown():
    BROKEN.add("pay")
    system = System([agent()], model=model(PAY, "Done."))
    await system.start({"n": 1})
    assert (made()["pay"], parts(system)[CALL].status) == (1, "waiting")
    BROKEN.clear()
    await says(system, approved=True)
    assert made()["pay"] == 2  # somebody said so
    assert (await system.report())["status"] == "succeeded"
