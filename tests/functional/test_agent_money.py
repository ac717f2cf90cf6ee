"""An agent's turns count against its run's budget, one by one, and go down its ladder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.domain.commands import Signal
from shared.domain.version import FlowVersion
from tests.functional.agents import agent, asks, model, tools
from tests.functional.system import System
from tests.functional.test_money import balance, holds, ticks

LOOK = asks(("look", {"n": 1}))


@pytest.fixture(autouse=True)
def _tools() -> Iterator[None]:
    with tools():
        yield


def in_budget(budget: dict[str, object]) -> FlowVersion:
    declared = agent("tools: [look]")
    flow = type(declared.flow).model_validate(
        {
            **declared.flow.model_dump(mode="json", by_alias=True, exclude_unset=True),
            "budget": budget,
        }
    )
    return declared.model_copy(update={"flow": flow})


async def test_each_turn_is_held_for_and_settled():
    system = System([in_budget({"tokens": 9000})], model=model(LOOK, LOOK, "Done."))
    await system.start({"n": 7})
    report = await system.report()
    assert report["status"] == "succeeded", report["error"]
    used = report["totals"]["tokens"]
    assert balance(system).spent.tokens == used["input"] + used["output"]
    assert (holds(system), balance(system).reserved.is_some) == ([], False)


async def test_a_turn_asks_for_money_and_the_agent_goes_on():
    asked = model(LOOK, "Done.")
    system = System([in_budget({"tokens": 1400, "on_breach": ["ask"]})], model=asked)
    await system.start({"n": 7})
    await ticks(system, 2)
    [run_id] = system.run_ids()
    assert (await system.report())["status"] == "running"
    assert len(asked.calls) == 1
    command = {"run": run_id, "name": "help[turn-2]", "data": {"approved": True, "tokens": 900}}
    await system.start(command, Signal.type)
    report = await system.report()
    assert (report["status"], report["outputs"]) == ("succeeded", {"said": "Done."})
