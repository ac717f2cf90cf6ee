"""Whatever the model says, the step ends with a usable answer or one clear error, all billed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.domain.records import Tokens
from shared.errors import (
    ModelBusyError,
    ModelEmptyError,
    ModelMalformedError,
    ModelRefusedError,
    ModelRequestError,
    ModelTruncatedError,
    ModelUnreachableError,
    SegueError,
)
from shared.ports import ModelReply
from shared.testing.memory import ScriptedModel
from tests.functional.system import System, flow, prompt

SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
SORT = prompt("sort", "Sort it.", output=SCHEMA)
FLOW = flow("a: {prompt: sort}\nb: {needs: a, prompt: say, with: {text: '{{ a.n }}'}}", SORT)
GARBAGE = [
    ("not json", "is not JSON"),
    ("", "is not JSON"),
    ('{"n": 1', "is not JSON"),
    ('{"n": NaN}', "is not JSON"),
    ('{"n": 1, "why": "\\ud83d"}', "is not JSON"),
    ("[" * 100_000, "is not JSON"),
    ('{"n": "one"}', "breaks the schema at $.n: must be of type integer"),
    ("[]", "breaks the schema at $: must be of type object"),
]


async def answered(*said: Any) -> System:
    system = System([FLOW], model=ScriptedModel({"sort": list(said)}))
    await system.start()
    return system


@pytest.mark.parametrize(("garbage", "told"), GARBAGE)
async def test_an_unfit_answer_is_repaired_once(garbage: str, told: str):
    system = await answered(garbage, {"n": 3})
    first, second = system.model.calls[:2]
    assert second.messages[:2] == (*first.messages, ("model", garbage))
    assert second.messages[2][0] == "user"
    assert told in second.messages[2][1]
    report = await system.report()
    step = report["steps"]["a"]
    assert (step["status"], step["output"]) == ("succeeded", {"n": 3})
    assert (step["llm_calls"], step["attempts"]) == (2, 1)
    assert "answers" not in step
    assert report["status"] == "succeeded"


@pytest.mark.parametrize(("garbage", "told"), GARBAGE)
async def test_an_answer_whose_repair_is_unfit_fails_with_both_answers_kept(
    garbage: str, told: str
):
    system = await answered('{"n": "first"}', garbage)
    report = await system.report()
    step = report["steps"]["a"]
    assert (report["status"], step["status"]) == ("failed", "failed")
    assert step["error"]["code"] == "OutputInvalid"
    assert f"the repaired answer {told}" in step["error"]["message"]
    assert step["answers"] == ['{"n": "first"}', garbage]
    assert step["llm_calls"] == 2
    assert report["totals"]["tokens"]["output"] > 0
    assert system.letter().error.model_dump() == step["error"]
    assert len(system.model.calls) == 2


BILLED = ModelReply("half an ans", Tokens(input=5, output=7), "gemini-2.5-flash")


def with_reply(error: SegueError) -> SegueError:
    error.reply = BILLED
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelRefusedError("SAFETY"), "ModelRefused"),
        (ModelTruncatedError("MAX_TOKENS"), "ModelTruncated"),
        (ModelEmptyError("no text"), "ModelEmpty"),
        (ModelRequestError("400 INVALID_ARGUMENT"), "ModelRequest"),
    ],
)
async def test_what_the_model_refuses_fails_at_once(error: SegueError, code: str):
    system = await answered(error)
    report = await system.report()
    step = report["steps"]["a"]
    assert (report["status"], step["error"]["code"], step["attempts"]) == ("failed", code, 1)
    assert error.detail in report["error"]["message"]
    assert step["llm_calls"] == 1
    assert system.letter().error.code == code
    assert await system.statuses() == {"a": "failed", "b": "pending"}
    assert system.pipeline.deliveries["generate"] == 1


async def test_an_answer_that_comes_with_an_error_is_billed():
    system = await answered(with_reply(ModelTruncatedError("MAX_TOKENS")))
    step = (await system.report())["steps"]["a"]
    assert step["tokens"] == {"input": 5, "output": 7}
    assert step["cost_usd"] == pytest.approx(12e-6)
    assert step["answers"] == ["half an ans"]


@pytest.mark.parametrize("error", [ModelUnreachableError, ModelMalformedError, ModelBusyError])
async def test_a_passing_failure_is_tried_again_and_counted(error: type[SegueError]):
    system = await answered(error("503"), error("503"), {"n": 1})
    report = await system.report()
    step = report["steps"]["a"]
    assert (report["status"], step["attempts"], step["llm_calls"]) == ("succeeded", 3, 3)
    assert [attempt["outcome"] for attempt in step["ledger"]] == [
        "released",
        "released",
        "succeeded",
    ]
    assert system.letters() == []


async def test_a_failure_that_never_passes_ends_as_a_letter_that_names_it():
    system = await answered(ModelUnreachableError("500 INTERNAL"))
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "DeliveriesExhausted")
    assert (
        "given up after 20 deliveries; the last attempt: 500 INTERNAL"
        in (report["error"]["message"])
    )
    step = report["steps"]["a"]
    assert (step["status"], step["attempts"], step["llm_calls"]) == ("failed", 20, 20)
    letter = system.letter()
    assert (letter.stage, letter.deliveries) == ("generate", 20)
    assert json.loads(letter.data)["task"]["kind"] == "generate"


async def test_a_repair_that_meets_a_passing_failure_starts_over():
    system = await answered("garbage", ModelUnreachableError("503"), {"n": 5})
    step = (await system.report())["steps"]["a"]
    assert (step["status"], step["attempts"], step["llm_calls"]) == ("succeeded", 2, 3)


async def test_an_answer_without_a_schema_is_text_whatever_it_is():
    system = System([flow("a: {prompt: say, with: {text: x}}")], model=ScriptedModel(default="{"))
    await system.start()
    assert (await system.report())["steps"]["a"]["output"] == {"text": "{"}


async def test_text_that_unicode_cannot_hold_does_not_stop_a_run():
    model = ScriptedModel(default="so \ud83d far")
    system = System([flow("a: {prompt: say, with: {text: x}}")], model=model)
    await system.start()
    step = (await system.report())["steps"]["a"]
    assert step["output"] == {"text": "so ? far"}
    assert step["llm_calls"] == 1


async def test_an_answer_too_large_to_hand_on_fails_clearly():
    system = System(
        [flow("a: {prompt: say, with: {text: x}}")], model=ScriptedModel(default="x" * 1_000_000)
    )
    await system.start()
    step = (await system.report())["steps"]["a"]
    assert (step["status"], step["error"]["code"]) == ("failed", "OutputTooLarge")
    assert step["llm_calls"] == 1


async def test_unfit_answers_too_large_for_a_record_are_kept_as_far_as_they_fit():
    system = await answered("x" * 700_000, "y" * 700_000)
    report = await system.report()
    assert (report["status"], report["error"]["code"]) == ("failed", "OutputInvalid")
    [step] = [step for step in report["steps"].values() if step["status"] == "failed"]
    assert [set(answer) for answer in step["answers"]] == [{"x"}, {"y"}]
    assert len(system.model.calls) == 2


@pytest.mark.parametrize(("allowed", "most"), [("3s", 3), ("60s", 60), ("1h", 285)])
async def test_the_model_gets_time_within_the_steps_and_the_stages(allowed: str, most: int):
    class Timed(ScriptedModel):
        async def generate(self, request: Any, *, seconds: float) -> ModelReply:
            given.append(seconds)
            return await super().generate(request, seconds=seconds)

    given: list[float] = []
    declared = flow(f"a: {{timeout: {allowed}, prompt: say, with: {{text: x}}}}")
    await System([declared], model=Timed()).start()
    assert most / 2 < given[0] <= most + 1  # the step's own timeout is the protocol's to enforce
