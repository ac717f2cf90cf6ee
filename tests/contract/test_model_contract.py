"""What every Model guarantees: held by the double, and by Gemini's adapter on the stand-in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from shared.adapters.gemini_model import GeminiModel, build_client
from shared.domain.agents.conversation import Said
from shared.domain.budgets.prices import PriceTable
from shared.domain.envelope import ModelRequest
from shared.domain.records import Tokens
from shared.errors import (
    ModelBusyError,
    ModelCallMalformedError,
    ModelEmptyError,
    ModelMalformedError,
    ModelRefusedError,
    ModelRequestError,
    ModelTruncatedError,
    ModelUnreachableError,
)
from shared.ports import ModelReply
from shared.testing.memory import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shared.ports import Model
    from tests.contract.conftest import Standin

PRICES = PriceTable.model_validate(
    {
        "as_of": "2026-10-07",
        "source": "a test",
        "models": {"gemini-test": {"rate": {"input": 1, "output": 2, "cached": 0.5}}},
    }
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"category": {"type": "string"}, "score": {"type": "number"}},
    "required": ["category", "score"],
}


def ask(text: str = "Hello?", **fields: Any) -> ModelRequest:
    labels = {"segue-prompt": "support/classify", "segue-run": "run-1"}
    return ModelRequest.model_validate(
        {"model": "gemini-test", "messages": (("user", text),), "labels": labels, **fields}
    )


async def no_sleep(_seconds: float) -> None:
    return None


@pytest_asyncio.fixture(loop_scope="session")
async def at() -> AsyncIterator[Callable[[str], GeminiModel]]:
    """Builds a model that calls a URL, waits for nothing and is closed after the test."""
    built: list[GeminiModel] = []

    def made(url: str) -> GeminiModel:
        client = build_client(
            project="p", location="us-central1", api_key=None, base_url=url, local=True
        )
        built.append(GeminiModel(client, PRICES, sleep=no_sleep, jitter=lambda: 1.0))
        return built[-1]

    yield made
    for model in built:
        await model.aclose()


@pytest.fixture
def gemini(at: Callable[[str], GeminiModel], standin: Standin) -> GeminiModel:
    return at(standin.url)


@pytest.fixture(params=["double", "gemini"])
def model(request: pytest.FixtureRequest) -> Model:
    if request.param == "gemini":
        found: Model = request.getfixturevalue("gemini")
        return found
    answer = {"category": "billing", "score": 0.5}
    return ScriptedModel(
        default=lambda asked: answer if asked.output_schema else "Hi.", prices=PRICES
    )


async def test_an_answer_has_text_tokens_and_a_model(model: Model) -> None:
    reply = await model.generate(ask(), seconds=20)
    assert reply.text
    assert reply.finish_reason == "stop"
    assert reply.tokens.input > 0
    assert reply.tokens.output > 0
    assert reply.model == "gemini-test"


async def test_an_answer_under_a_schema_is_json(model: Model) -> None:
    reply = await model.generate(ask(output_schema=SCHEMA), seconds=20)
    assert set(json.loads(reply.text)) == {"category", "score"}


async def test_a_call_has_a_price_where_the_table_knows_the_model(model: Model) -> None:
    tokens = Tokens(input=3_000_000, output=1_000_000, cached=1_000_000)
    assert model.cost("gemini-test", tokens) == 4.5
    assert model.cost("gemini-unheard-of", tokens) is None


@pytest.mark.parametrize(
    ("fault", "meaning", "partly"),
    [
        ("blocked-prompt", ModelRefusedError, ""),
        ("blocked", ModelRefusedError, ""),
        ("truncated", ModelTruncatedError, "half "),
        ("empty", ModelEmptyError, ""),
    ],
)
async def test_an_unusable_answer_is_an_error_that_carries_it(
    standin: Standin, gemini: GeminiModel, fault: str, meaning: type[Exception], partly: str
) -> None:
    await standin.rules({"when": {}, "answer": "half gone."})
    await standin.arm(fault, times=1)
    with pytest.raises(meaning) as caught:
        await gemini.generate(ask(), seconds=20)
    reply = caught.value.reply  # type: ignore[attr-defined]
    assert isinstance(reply, ModelReply)
    assert reply.tokens.input > 0
    assert reply.text == partly


async def test_a_double_carries_the_reply_it_is_given() -> None:
    error = ModelTruncatedError("cut")
    error.reply = ModelReply("half", Tokens(input=1, output=2), "gemini-test")
    with pytest.raises(ModelTruncatedError) as caught:
        await ScriptedModel({"support/classify": error}).generate(ask(), seconds=1)
    assert caught.value.reply.text == "half"


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        ("400", ModelRequestError),
        ("500", ModelUnreachableError),
        ("drop", ModelUnreachableError),
        ("garbage", ModelMalformedError),
    ],
)
async def test_a_failed_call_is_told_at_once(
    standin: Standin, gemini: GeminiModel, fault: str, meaning: type[Exception]
) -> None:
    await standin.arm(fault, times=1)
    with pytest.raises(meaning):
        await gemini.generate(ask(), seconds=20)
    assert (await standin.calls())["total"] == 1


@pytest.mark.parametrize("fault", ["429", "503"])
async def test_a_busy_model_is_waited_out(
    standin: Standin, gemini: GeminiModel, fault: str
) -> None:
    await standin.arm(fault, times=3)
    reply = await gemini.generate(ask(), seconds=60)
    assert reply.text
    assert (await standin.calls())["total"] == 4


@pytest.mark.parametrize("fault", ["429", "503"])
async def test_a_model_that_stays_busy_is_busy(
    standin: Standin, gemini: GeminiModel, fault: str
) -> None:
    await standin.arm(fault)
    with pytest.raises(ModelBusyError, match=fault):
        await gemini.generate(ask(), seconds=2.5)


async def test_a_model_that_never_answers_is_unreachable(
    standin: Standin, gemini: GeminiModel
) -> None:
    await standin.arm("hang", times=1)
    with pytest.raises(ModelUnreachableError, match="did not answer"):
        await gemini.generate(ask(), seconds=0.3)


async def test_a_model_that_is_not_there_is_unreachable(
    at: Callable[[str], GeminiModel], unused_tcp_port: int
) -> None:
    with pytest.raises(ModelUnreachableError):
        await at(f"http://127.0.0.1:{unused_tcp_port}").generate(ask(), seconds=20)


async def test_the_prompts_label_reaches_the_model(standin: Standin, gemini: GeminiModel) -> None:
    await gemini.generate(ask(), seconds=20)
    assert (await standin.calls())["by_prompt"] == {"support-classify": 1}


FIND = {"name": "find", "description": "Find it.", "parameters": {"type": "object"}}
FOUND: list[dict[str, Any]] = [
    {"when": {"turn": 1}, "calls": [{"name": "find", "args": {"n": n}} for n in (1, 2)]},
    {"when": {"after_tool": "find"}, "answer": {"sum": "{{ results.find | sum }}"}},
]


def results_of(reply: ModelReply) -> dict[str, Any]:
    """Ten times what each call asks for, as an agent gives it back."""
    answers = [
        {"name": call.name, "id": call.id, "response": {"result": int(str(call.args["n"])) * 10}}
        for call in reply.calls
    ]
    return {"role": "user", "parts": [{"functionResponse": answer} for answer in answers]}


async def test_a_conversation_with_parallel_calls_goes_round_with_its_signature(
    standin: Standin, gemini: GeminiModel
) -> None:
    await standin.rules(*FOUND)
    first = await gemini.generate(ask(tools=[FIND]), seconds=20)
    assert [call.args for call in first.calls] == [{"n": 1}, {"n": 2}]
    assert first.said is not None
    kept = Said.model_validate_json(first.said.model_dump_json())
    said = [kept, results_of(first)]
    last = await gemini.generate(ask(tools=[FIND], said=said), seconds=20)
    assert (json.loads(last.text), last.calls) == ({"sum": 30}, ())


@pytest.mark.parametrize("lost", ["thoughtSignature", "functionResponse"])
async def test_a_conversation_that_lost_something_is_refused(
    standin: Standin, gemini: GeminiModel, lost: str
) -> None:
    await standin.rules(*FOUND)
    first = await gemini.generate(ask(tools=[FIND]), seconds=20)
    assert first.said is not None
    said = [first.said.model_dump(), results_of(first)]
    spoiled = [
        {**turn, "parts": [{k: v for k, v in part.items() if k != lost} for part in turn["parts"]]}
        for turn in said
    ]
    with pytest.raises(ModelRequestError, match="400"):
        await gemini.generate(ask(tools=[FIND], said=spoiled), seconds=20)


async def test_a_tool_that_was_asked_for_wrongly_is_told(
    standin: Standin, gemini: GeminiModel
) -> None:
    await standin.arm("miscalled", times=1)
    with pytest.raises(ModelCallMalformedError, match="MALFORMED_FUNCTION_CALL"):
        await gemini.generate(ask(tools=[FIND]), seconds=20)
