"""Where a guarantee ends: what happens there, so that nobody has to find out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from shared.domain.envelope import ModelRequest
from shared.errors import BusUnavailableError
from shared.ports import ModelReply
from shared.testing.memory import ScriptedModel
from tests.functional.system import EVENT, System, flow, prompt

ONE = flow("a: {prompt: say, with: {text: hi}}")


async def test_an_event_without_an_id_that_the_broker_buried_is_a_new_event_when_redriven():
    """Its id was the message id, which a dead letter made by the broker does not carry."""
    system = System([ONE])
    await system.publish(EVENT)
    working = system.world.messages.publish

    async def refusing(topic: str, messages: Any) -> Any:
        if topic == "compose":
            raise BusUnavailableError("down")
        return await working(topic, messages)

    system.world.messages.publish = refusing
    await system.run()
    del system.world.messages.publish
    await system.redrive()
    statuses = [(await system.report(run_id))["status"] for run_id in system.run_ids()]
    assert sorted(statuses) == ["running", "succeeded"]


async def test_a_duplicate_that_had_to_wait_takes_over_live_work_and_records_it_once():
    """Attempts are counted by message: a duplicate's nack looks like that of the first."""

    class Held(ScriptedModel):
        async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
            reply = await super().generate(request, seconds=seconds)
            reached.set()
            if len(self.calls) == 1:
                await released.wait()
            return reply

    reached, released = asyncio.Event(), asyncio.Event()
    model = Held()
    system = System([ONE], model=model)
    await system.publish(EVENT)
    await system.pipeline.step("route")
    await system.pipeline.step("compose")
    [waiting] = system.pipeline.collect()
    working = asyncio.create_task(system.pipeline.deliver(system.pipeline.take(waiting)))
    await reached.wait()
    await system.pipeline.deliver(waiting)
    await system.pipeline.deliver(replace(waiting, attempt=2))
    released.set()
    await working
    await system.run()
    [step] = (await system.report())["steps"].values()
    assert [attempt["outcome"] for attempt in step["ledger"]] == ["lost", "succeeded"]
    assert len(model.calls) == 2


async def test_a_step_that_times_out_in_its_repair_is_billed_for_its_first_answer():
    class Stuck(ScriptedModel):
        async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
            if self.calls:
                await asyncio.Event().wait()
            return await super().generate(request, seconds=seconds)

    sort = prompt("sort", "Sort it.", output={"type": "object"})
    system = System([flow("a: {timeout: 50ms, prompt: sort}", sort)], model=Stuck(default="[]"))
    await system.start()
    step = (await system.report())["steps"]["a"]
    assert step["error"]["code"] == "StepTimeout"
    assert step["llm_calls"] == 2
    assert step["tokens"]["output"] > 0
