"""What is sent to Google's model API, and what its answers mean; no network."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from google.auth.exceptions import DefaultCredentialsError, RefreshError

from shared.adapters.gemini_model import GeminiModel, build_client
from shared.adapters.gemini_request import billing_labels
from shared.domain.records import Tokens
from shared.errors import (
    ModelEmptyError,
    ModelMalformedError,
    ModelRefusedError,
    ModelRequestError,
    ModelTruncatedError,
    ModelUnreachableError,
    SegueError,
)
from tests.unit.adapters.gemini_api import (
    NO_PRICES,
    Answer,
    Api,
    Made,
    ask,
    busy,
    candidate,
    ok,
)


async def test_a_conversation_is_sent_turn_by_turn(api: Api, make: Made) -> None:
    turns = (("user", "One?"), ("model", "Two."), ("user", "Three?"))
    await make().generate(ask(messages=turns, system="Be brief."), seconds=20)
    assert [(turn["role"], turn["parts"]) for turn in api.body["contents"]] == [
        (role, [{"text": text}]) for role, text in turns
    ]
    assert api.body["systemInstruction"]["parts"] == [{"text": "Be brief."}]


async def test_a_schema_asks_for_json(api: Api, make: Made) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    await make().generate(ask(output_schema=schema), seconds=20)
    config = api.body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert schema in config.values()


async def test_parameters_are_sent_and_nothing_else_is(api: Api, make: Made) -> None:
    parameters = {
        "temperature": 0.2,
        "max_output_tokens": 100,
        "seed": 7,
        "stop_sequences": ["END"],
        "thinking_config": {"thinking_budget": 0},
        "safety_settings": [
            {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}
        ],
    }
    await make().generate(ask(parameters=parameters), seconds=20)
    config = api.body["generationConfig"]
    assert config.pop("thinkingConfig") in ({"thinkingBudget": 0}, {"thinking_budget": 0})
    assert config == {
        "temperature": 0.2,
        "maxOutputTokens": 100,
        "seed": 7,
        "stopSequences": ["END"],
    }
    assert set(api.body) == {"contents", "generationConfig", "safetySettings"}


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"temprature": 1}, "temprature"),
        ({"labels": {"a": "b"}}, "labels"),
        ({"automatic_continuation": True}, "automatic_continuation"),
        ({"candidate_count": 8}, "candidate_count"),
        ({"temperature": "warm"}, "temperature"),
        ({"thinking_config": {"thinking": 1}}, "thinking_config"),
    ],
)
async def test_a_wrong_parameter_is_refused_by_name(
    api: Api, make: Made, parameters: dict[str, Any], named: str
) -> None:
    with pytest.raises(ModelRequestError, match=named):
        await make().generate(ask(parameters=parameters), seconds=20)
    assert not api.requests


async def test_labels_go_to_vertex_in_the_form_it_takes(api: Api, make: Made) -> None:
    await make().generate(ask(labels={"segue-prompt": "support/classify"}), seconds=20)
    assert api.body["labels"] == {"segue-prompt": "support-classify"}


async def test_labels_do_not_go_to_the_gemini_api(api: Api, make: Made) -> None:
    await make(vertex=False).generate(ask(labels={"segue-prompt": "a"}), seconds=20)
    assert "labels" not in api.body
    assert api.requests[-1].url.host == "generativelanguage.googleapis.com"


def test_labels_become_lower_case_short_and_start_with_a_letter() -> None:
    labels = {"1Segue.Run": "Ünï/X", "_": "dropped", "k" * 70: "v" * 70}
    assert billing_labels(labels) == {"segue-run": "-n--x", "k" * 63: "v" * 63}


async def test_an_answer_is_its_text_without_its_thoughts(api: Api, make: Made) -> None:
    body = candidate()
    body["candidates"][0]["content"]["parts"] = [
        {"text": "Hm.", "thought": True},
        {"text": "One "},
        {"text": "two."},
    ]
    body["modelVersion"] = "gemini-test-002"
    api.answers = [ok(body)]
    reply = await make().generate(ask(), seconds=20)
    assert (reply.text, reply.model) == ("One two.", "gemini-test-002")
    assert reply.finish_reason == "stop"


async def test_tokens_are_counted_as_billed(api: Api, make: Made) -> None:
    usage = {
        "promptTokenCount": 100,
        "toolUsePromptTokenCount": 10,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 5,
        "cachedContentTokenCount": 60,
    }
    api.answers = [ok({**candidate(), "usageMetadata": usage})]
    reply = await make().generate(ask(), seconds=20)
    assert reply.tokens == Tokens(input=110, output=25, cached=60)


REFUSALS = ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "OTHER"]
OTHERS = ["TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE", "CONTINUATION", "MODEL_ARMOR"]


@pytest.mark.parametrize("reason", [*REFUSALS, *OTHERS])
async def test_a_stopped_answer_is_refused_by_its_reason(api: Api, make: Made, reason: str) -> None:
    api.answers = [ok(candidate("Part", finishReason=reason, finishMessage="because"))]
    with pytest.raises(ModelRefusedError, match=rf"{reason}.*because") as caught:
        await make().generate(ask(), seconds=20)
    assert caught.value.reply.text == "Part"
    assert len(api.requests) == 1


@pytest.mark.filterwarnings("ignore:.*is not a valid FinishReason")
async def test_a_reason_unknown_to_the_sdk_is_named(api: Api, make: Made) -> None:
    api.answers = [ok(candidate(finishReason="BORED"))]
    with pytest.raises(ModelRefusedError, match="BORED"):
        await make().generate(ask(), seconds=20)


async def test_a_blocked_prompt_is_refused_and_was_billed(api: Api, make: Made) -> None:
    feedback = {"blockReason": "JAILBREAK", "blockReasonMessage": "No."}
    api.answers = [ok({"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 9}})]
    with pytest.raises(ModelRefusedError, match=r"JAILBREAK.*No") as caught:
        await make().generate(ask(), seconds=20)
    assert caught.value.reply.tokens == Tokens(input=9)
    assert caught.value.reply.finish_reason is None


async def test_a_truncated_answer_keeps_what_there_is(api: Api, make: Made) -> None:
    api.answers = [ok(candidate('{"a": ', finishReason="MAX_TOKENS"))]
    with pytest.raises(ModelTruncatedError) as caught:
        await make().generate(ask(), seconds=20)
    assert caught.value.reply.text == '{"a": '
    assert caught.value.reply.finish_reason == "max_tokens"


@pytest.mark.parametrize("body", [{}, {"candidates": []}, candidate(""), candidate(" \n")])
async def test_an_answer_without_text_is_empty(api: Api, make: Made, body: dict[str, Any]) -> None:
    api.answers = [ok(body)]
    with pytest.raises(ModelEmptyError):
        await make().generate(ask(), seconds=20)


BAD_ANSWERS: list[tuple[Answer, type[SegueError]]] = [
    (httpx2.Response(200, text='{"candidates": ['), ModelMalformedError),
    (httpx2.Response(200, text="<html>"), ModelMalformedError),
    (ok({"candidates": "none"}), ModelMalformedError),
    (busy(400), ModelRequestError),
    (busy(401), ModelRequestError),
    (busy(403), ModelRequestError),
    (busy(404), ModelRequestError),
    (busy(408), ModelUnreachableError),
    (busy(500), ModelUnreachableError),
    (busy(502), ModelUnreachableError),
    (httpx2.Response(504, text="<html>Timeout</html>"), ModelUnreachableError),
    (httpx2.ConnectError("refused"), ModelUnreachableError),
    (httpx2.RemoteProtocolError("cut"), ModelUnreachableError),
    (httpx2.ReadTimeout("slow"), ModelUnreachableError),
    (httpx2.ReadError("reset"), ModelUnreachableError),
    (RefreshError("no token now"), ModelUnreachableError),
    (DefaultCredentialsError("no credentials"), ModelRequestError),
]


@pytest.mark.parametrize(
    ("answer", "meaning"),
    BAD_ANSWERS,
    ids=lambda value: getattr(value, "__name__", None) or str(value)[:30],
)
async def test_a_failed_call_is_not_repeated(
    api: Api, make: Made, answer: Answer, meaning: type[SegueError]
) -> None:
    api.answers = [answer]
    with pytest.raises(meaning) as caught:
        await make().generate(ask(), seconds=20)
    assert type(caught.value) is meaning
    assert caught.value.reply is None
    assert len(api.requests) == 1
    assert not api.slept


async def test_googles_own_words_are_kept(api: Api, make: Made) -> None:
    api.answers = [busy(404, message="Publisher model gemini-test was not found")]
    with pytest.raises(ModelRequestError, match=r"404.*gemini-test was not found"):
        await make().generate(ask(), seconds=20)


async def test_a_client_is_built_for_each_way_in() -> None:
    settings: dict[str, Any] = {"project": "p", "location": "l", "base_url": "http://x"}
    vertex = build_client(**settings, api_key=None, local=True)
    gemini = build_client(**settings, api_key="k", local=False)
    assert (vertex.vertexai, gemini.vertexai) == (True, False)
    # Values that OpenTelemetry's conventions have for `gen_ai.provider.name`.
    assert GeminiModel(vertex, NO_PRICES).provider == "gcp.vertex_ai"
    assert GeminiModel(gemini, NO_PRICES).provider == "gcp.gemini"
    for client in (vertex, gemini):
        await client.aio.aclose()
