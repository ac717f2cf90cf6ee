"""The real google-genai client works against the stand-in and meets every fault as an error."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Literal

import httpx
import httpx2
import pytest
import pytest_asyncio
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials
from pydantic import BaseModel

from emulator.serving import serve
from emulator.standin.app import RULES_FILE, build
from emulator.standin.rule_file import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from emulator.serving import Served

MODEL = "gemini-2.5-flash"


class Ticket(BaseModel):
    """What support/classify answers."""

    category: Literal["billing", "technical", "account", "spam", "other"]
    urgency: Literal["low", "normal", "high"]
    summary: str
    confidence: float


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served() -> AsyncIterator[Served]:
    """The stand-in with the rules that come with the project."""
    running = await serve(build(load(RULES_FILE)))
    yield running
    await running.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def control(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """The control API, reset after each test."""
    async with httpx.AsyncClient(base_url=served.url, trust_env=False) as http:
        yield http
        for path in ("/_faults", "/_calls", "/_rules"):
            (await http.delete(path)).raise_for_status()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def model(served: Served) -> AsyncIterator[genai.client.AsyncClient]:
    """The client as a stage builds it."""
    client = genai.Client(
        vertexai=True,
        project="local",
        location="us-central1",
        credentials=Credentials("local"),
        http_options=types.HttpOptions(base_url=served.url),
    )
    yield client.aio
    await client.aio.aclose()
    client.close()


def labelled(prompt: str, **settings: Any) -> types.GenerateContentConfig:
    """Build a config that names its prompt."""
    return types.GenerateContentConfig(labels={"segue-prompt": prompt}, **settings)


async def arm(control: httpx.AsyncClient, **fault: Any) -> None:
    """Arm a fault."""
    (await control.post("/_faults", json=fault)).raise_for_status()


async def test_a_rule_answers_in_text(model: genai.client.AsyncClient) -> None:
    answer = await model.models.generate_content(
        model=MODEL, contents="Write your best joke about pirates.", config=labelled("joke/write")
    )
    assert "pirate" in (answer.text or "")
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.prompt_token_count == 9
    assert answer.usage_metadata.total_token_count == 9 + (
        answer.usage_metadata.candidates_token_count or 0
    )
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP


@pytest.mark.parametrize(
    ("said", "category"),
    [
        ("I was charged twice for order 17", "billing"),
        ("The app crashes with an error when I open it", "technical"),
        ("Buy cheap SEO backlinks", "spam"),
        ("Hello there", "other"),
    ],
)
async def test_a_rule_answers_in_the_requested_schema(
    model: genai.client.AsyncClient, said: str, category: str
) -> None:
    config = labelled(
        "support/classify", response_schema=Ticket, response_mime_type="application/json"
    )
    answer = await model.models.generate_content(model=MODEL, contents=said, config=config)
    assert isinstance(answer.parsed, Ticket)
    assert answer.parsed.category == category


async def test_an_answer_without_a_rule_fits_either_kind_of_schema(
    model: genai.client.AsyncClient,
) -> None:
    openapi = types.GenerateContentConfig(
        response_schema=Ticket, response_mime_type="application/json"
    )
    answer = await model.models.generate_content(model=MODEL, contents="hi", config=openapi)
    assert isinstance(answer.parsed, Ticket)
    plain = types.GenerateContentConfig(
        response_json_schema=Ticket.model_json_schema(), response_mime_type="application/json"
    )
    answer = await model.models.generate_content(model=MODEL, contents="hi", config=plain)
    Ticket.model_validate_json(answer.text or "")


async def test_a_stream_adds_up_to_the_answer(model: genai.client.AsyncClient) -> None:
    config = labelled("joke/critique")
    stream = await model.models.generate_content_stream(
        model=MODEL, contents="fish and ships", config=config
    )
    parts = [chunk async for chunk in stream]
    assert len(parts) > 2
    assert "".join(chunk.text or "" for chunk in parts).startswith("Analysis:\nThe joke plays")
    assert parts[-1].usage_metadata is not None
    assert parts[0].usage_metadata is None


@pytest.mark.parametrize("name", ["text-embedding-005", "gemini-embedding-001"])
async def test_every_text_gets_a_vector_and_similar_texts_are_near(
    model: genai.client.AsyncClient, name: str
) -> None:
    texts = [
        "How do I get a refund for a double charge?",
        "I want my double charge refunded",
        "The app crashes on startup",
    ]
    config = types.EmbedContentConfig(output_dimensionality=256)
    answer = await model.models.embed_content(model=name, contents=texts, config=config)
    assert answer.embeddings is not None
    vectors = [each.values or [] for each in answer.embeddings]
    assert [len(vector) for vector in vectors] == [256] * 3
    asked, near, far = vectors
    assert dot(asked, near) > dot(asked, far) + 0.2


def dot(left: list[float], right: list[float]) -> float:
    """Return the likeness of two unit vectors."""
    return sum(a * b for a, b in zip(left, right, strict=True))


async def test_the_multimodal_model_makes_one_vector_of_a_list_of_strings(
    model: genai.client.AsyncClient,
) -> None:
    answer = await model.models.embed_content(model="gemini-embedding-2", contents=["a", "b"])
    assert answer.embeddings is not None
    assert [len(each.values or []) for each in answer.embeddings] == [3072]


async def test_tokens_are_counted(model: genai.client.AsyncClient) -> None:
    answer = await model.models.count_tokens(model=MODEL, contents="twelve chars")
    assert answer.total_tokens == 3


async def test_a_rule_can_ask_for_a_tool_and_read_its_result(
    model: genai.client.AsyncClient, control: httpx.AsyncClient
) -> None:
    rules = [
        {"when": {"contains": "sunny"}, "answer": "It is sunny."},
        {"when": {}, "calls": [{"name": "weather", "args": {"city": "Delft"}}]},
    ]
    (await control.post("/_rules", json=rules)).raise_for_status()
    declared = types.FunctionDeclaration(name="weather", parameters_json_schema={"type": "object"})
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declared])])
    asked = types.Content(role="user", parts=[types.Part(text="What is the weather?")])
    first = await model.models.generate_content(model=MODEL, contents=asked, config=config)
    assert first.function_calls is not None
    assert first.function_calls[0].args == {"city": "Delft"}
    result = types.Part.from_function_response(name="weather", response={"sky": "sunny"})
    assert first.candidates is not None
    assert first.candidates[0].content is not None
    turns = [asked, first.candidates[0].content, types.Content(role="user", parts=[result])]
    second = await model.models.generate_content(model=MODEL, contents=turns, config=config)
    assert second.text == "It is sunny."


async def test_every_form_of_url_is_answered(served: Served, control: httpx.AsyncClient) -> None:
    options = types.HttpOptions(base_url=served.url)
    unscoped = options.model_copy(update={"base_url_resource_scope": "COLLECTION"})
    clients = [
        genai.Client(vertexai=True, api_key="local", http_options=options),
        genai.Client(vertexai=False, api_key="local", http_options=options),
        genai.Client(vertexai=True, http_options=unscoped),
    ]
    for client in clients:
        answer = await client.aio.models.generate_content(model=MODEL, contents="hello")
        assert "hello" in (answer.text or "")
        await client.aio.aclose()
        client.close()
    assert (await control.get("/_calls")).json()["by_model"] == {MODEL: 3}


async def test_calls_are_counted_by_prompt_model_and_method(
    model: genai.client.AsyncClient, control: httpx.AsyncClient
) -> None:
    await model.models.generate_content(model=MODEL, contents="a", config=labelled("joke/write"))
    await model.models.count_tokens(model=MODEL, contents="a")
    summary = (await control.get("/_calls")).json()
    assert summary["total"] == 2
    assert summary["by_prompt"] == {"joke/write": 1}
    assert summary["by_method"] == {"generateContent": 1, "countTokens": 1}
    assert summary["calls"][0]["status"] == 200


@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        ("429", errors.ClientError, "RESOURCE_EXHAUSTED"),
        ("400", errors.ClientError, "INVALID_ARGUMENT"),
        ("500", errors.ServerError, "INTERNAL"),
        ("503", errors.ServerError, "UNAVAILABLE"),
    ],
)
async def test_an_error_status_arrives_as_googles_error(
    model: genai.client.AsyncClient,
    control: httpx.AsyncClient,
    fault: str,
    kind: type[errors.APIError],
    status: str,
) -> None:
    await arm(control, fault=fault, times=1)
    with pytest.raises(kind) as caught:
        await model.models.generate_content(model=MODEL, contents="hi")
    assert (caught.value.code, caught.value.status) == (int(fault), status)
    assert caught.value.response.headers.get("retry-after") == ("1" if fault == "429" else None)
    # Without retry options the client tries once, and the fault is used up.
    assert (await control.get("/_calls")).json()["total"] == 1
    await model.models.generate_content(model=MODEL, contents="hi")


async def test_broken_json_arrives_as_a_decoding_error(
    model: genai.client.AsyncClient, control: httpx.AsyncClient
) -> None:
    await arm(control, fault="garbage", times=1)
    with pytest.raises(json.JSONDecodeError):
        await model.models.generate_content(model=MODEL, contents="hi")


async def test_a_dropped_connection_arrives_as_a_protocol_error(
    model: genai.client.AsyncClient, control: httpx.AsyncClient
) -> None:
    await arm(control, fault="drop", times=1)
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        await model.models.generate_content(model=MODEL, contents="hi")
    assert (await control.get("/_calls")).json()["calls"][0]["status"] == 0


@pytest.mark.parametrize(("fault", "delay"), [("hang", "0ms"), ("slow", "30s")])
async def test_no_answer_in_time_arrives_as_a_timeout(
    model: genai.client.AsyncClient, control: httpx.AsyncClient, fault: str, delay: str
) -> None:
    await arm(control, fault=fault, times=1, delay=delay)
    config = types.GenerateContentConfig(http_options=types.HttpOptions(timeout=100))
    with pytest.raises(httpx2.ReadTimeout):
        await model.models.generate_content(model=MODEL, contents="hi", config=config)


async def test_a_hanging_call_can_be_cancelled(
    model: genai.client.AsyncClient, control: httpx.AsyncClient
) -> None:
    await arm(control, fault="hang", times=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await model.models.generate_content(model=MODEL, contents="hi")


async def test_a_blocked_prompt_has_no_candidates(
    model: genai.client.AsyncClient, control: httpx.AsyncClient
) -> None:
    await arm(control, fault="blocked-prompt", times=1)
    answer = await model.models.generate_content(model=MODEL, contents="hi")
    assert answer.candidates is None
    assert answer.text is None
    assert answer.prompt_feedback is not None
    assert answer.prompt_feedback.block_reason is types.BlockedReason.SAFETY


@pytest.mark.parametrize(
    ("fault", "reason", "has_text"),
    [("blocked", "SAFETY", False), ("empty", "STOP", False), ("truncated", "MAX_TOKENS", True)],
)
async def test_a_spoiled_answer_says_how_it_ended(
    model: genai.client.AsyncClient,
    control: httpx.AsyncClient,
    fault: str,
    reason: str,
    *,
    has_text: bool,
) -> None:
    await arm(control, fault=fault, times=1)
    config = labelled(
        "support/classify", response_schema=Ticket, response_mime_type="application/json"
    )
    answer = await model.models.generate_content(model=MODEL, contents="hi", config=config)
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason is types.FinishReason[reason]
    assert answer.parsed is None
    assert bool(answer.text) is has_text


async def test_an_answer_that_is_not_json_is_not_parsed(
    model: genai.client.AsyncClient, control: httpx.AsyncClient
) -> None:
    await arm(control, fault="not-json", times=1)
    config = labelled(
        "support/classify", response_schema=Ticket, response_mime_type="application/json"
    )
    answer = await model.models.generate_content(model=MODEL, contents="hi", config=config)
    assert answer.parsed is None
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP


async def test_latency_can_be_set(
    model: genai.client.AsyncClient, control: httpx.AsyncClient
) -> None:
    (await control.post("/_latency", json={"ms": 30_000})).raise_for_status()
    config = types.GenerateContentConfig(http_options=types.HttpOptions(timeout=100))
    with pytest.raises(httpx2.ReadTimeout):
        await model.models.generate_content(model=MODEL, contents="hi", config=config)
    (await control.post("/_latency", json={"ms": 0})).raise_for_status()
