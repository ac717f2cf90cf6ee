"""Every request to a model is in the report of the attempt that made it, whatever became of it."""

from __future__ import annotations

import asyncio
from typing import Any

from shared.domain.envelope import ModelRequest
from shared.domain.records import Tokens
from shared.errors import ModelTruncatedError, ModelUnreachableError
from shared.ports import ModelReply, StageReport
from shared.testing.memory import ScriptedModel
from tests.functional.system import System, flow, prompt

SORT = prompt("sort", "Sort it.", output={"type": "object"})
FLOW = flow("a: {prompt: sort}", SORT)


class Timed(ScriptedModel):
    """Each answer takes two seconds. `clock` is set once there is one."""

    clock: Any = None

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        self.clock.advance(2)
        return await super().generate(request, seconds=seconds)


async def attempts(*said: Any, version: Any = FLOW) -> list[StageReport]:
    """The reports of `generate`, where the model says this in turn."""
    model = Timed({"sort": list(said)})
    system = System([version], model=model)
    model.clock = system.world.clock
    await system.start()
    return [one for one in system.world.telemetry.reports if one.stage == "generate"]


async def test_a_call_is_reported_with_its_time_and_its_answer():
    [report] = await attempts({"n": 1})
    [call] = report.calls
    assert (call.asked, call.provider, call.error) == ("gemini-2.5-flash", "double", None)
    assert (call.started_at, call.duration_ms) == (report.started_at, 2000.0)
    assert (call.reply.text, call.reply.finish_reason) == ('{"n": 1}', "stop")
    assert report.usage.tokens == call.reply.tokens


async def test_a_repair_is_a_call_of_its_own():
    [report] = await attempts("nonsense", {"n": 1})
    assert [call.reply.text for call in report.calls] == ["nonsense", '{"n": 1}']
    assert report.calls[1].started_at > report.calls[0].started_at
    assert report.usage.llm_calls == 2


async def test_a_call_that_fails_is_reported_by_the_attempt_that_made_it():
    first, second = await attempts(ModelUnreachableError("503"), {"n": 1})
    assert (first.disposition, second.disposition) == ("nack", "ack")
    [failed], [answered] = first.calls, second.calls
    assert (failed.error.code, failed.reply) == ("ModelUnreachable", None)
    assert answered.error is None


async def test_an_error_that_came_with_an_answer_has_both():
    error = ModelTruncatedError("cut")
    error.reply = ModelReply("{", Tokens(input=5, output=7), "m-001", "max_tokens")
    [report] = await attempts(error)
    [call] = report.calls
    assert (call.error.code, call.reply) == ("ModelTruncated", error.reply)
    assert report.usage.tokens == error.reply.tokens


async def test_a_call_that_is_cut_off_by_the_steps_timeout_is_reported():
    class Stuck(ScriptedModel):
        async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
            if self.calls:
                await asyncio.Event().wait()
            return await super().generate(request, seconds=seconds)

    version = flow("a: {timeout: 50ms, prompt: sort}", SORT)
    system = System([version], model=Stuck(default="[]"))
    await system.start()
    [report] = [one for one in system.world.telemetry.reports if one.stage == "generate"]
    assert report.error.code == "StepTimeout"
    answered, cut_off = report.calls
    assert answered.reply.text == "[]"
    assert (cut_off.reply, cut_off.error.code) == (None, "Cancelled")
    assert report.usage.llm_calls == 2


async def test_a_defect_forgets_no_call():
    class Broken(ScriptedModel):
        async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
            if self.calls:
                raise ZeroDivisionError
            return await super().generate(request, seconds=seconds)

    system = System([FLOW], model=Broken(default="nonsense"))
    await system.start()
    report = next(one for one in system.world.telemetry.reports if one.stage == "generate")
    assert report.outcome == "crashed"
    assert [call.error and call.error.code for call in report.calls] == [None, "ZeroDivisionError"]
    assert report.usage.llm_calls == 2


async def test_other_stages_report_no_calls():
    system = System(
        [flow("a: {prompt: sort}\nb: {needs: a, action: log.write, with: {message: m}}", SORT)],
        model=ScriptedModel(default={"n": 1}),
    )
    await system.start()
    asked = {one.stage for one in system.world.telemetry.reports if one.calls}
    assert asked == {"generate"}
