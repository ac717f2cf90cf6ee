"""What every ContextCaches guarantees: held by the double, and by Gemini's on the stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from shared.adapters.gemini_contexts import GeminiContexts
from shared.adapters.gemini_model import GeminiModel, build_client
from shared.domain.budgets.prices import PriceTable
from shared.domain.envelope import ModelRequest
from shared.errors import ModelRequestError, ModelUnreachableError
from shared.testing.memory_contexts import MemoryContexts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.ports import ContextCaches
    from tests.contract.conftest import Standin

PRICES = PriceTable.model_validate(
    {
        "as_of": "2026-10-07",
        "source": "a test",
        "models": {"m": {"rate": {"input": 1, "output": 2, "cached": 0.5}, "storage": 1}},
    }
)
LONG = "A rule of the house. " * 500
FIND = {"name": "find", "description": "Find it.", "parameters": {"type": "object"}}


def ask(system: str = LONG, **fields: Any) -> ModelRequest:
    asked = {"model": "m", "messages": (("user", "May I?"),), "system": system, **fields}
    return ModelRequest.model_validate(asked)


async def no_sleep(_seconds: float) -> None:
    return None


@pytest_asyncio.fixture(loop_scope="session")
async def gemini(standin: Standin) -> AsyncIterator[tuple[GeminiContexts, GeminiModel]]:
    client = build_client(
        project="p", location="us-central1", api_key=None, base_url=standin.url, local=True
    )
    model = GeminiModel(client, PRICES, sleep=no_sleep)
    yield GeminiContexts(client, PRICES, sleep=no_sleep), model
    await model.aclose()


@pytest.fixture(params=["double", "gemini"])
def contexts(request: pytest.FixtureRequest) -> ContextCaches:
    if request.param == "double":
        return MemoryContexts(usd_per_token=2e-6)
    found: ContextCaches = request.getfixturevalue("gemini")[0]
    return found


async def test_what_is_kept_has_a_name_and_a_size(contexts: ContextCaches) -> None:
    one = await contexts.make(ask(), ttl=600, seconds=20)
    other = await contexts.make(ask(tools=[FIND]), ttl=600, seconds=20)
    assert len({one.name, other.name}) == 2
    assert other.tokens > one.tokens > 2000


async def test_what_is_too_short_is_refused(contexts: ContextCaches) -> None:
    with pytest.raises(ModelRequestError, match=r"least|too small"):
        await contexts.make(ask("Be kind."), ttl=600, seconds=20)


async def test_keeping_has_a_price(contexts: ContextCaches) -> None:
    assert contexts.cost("m", 1_000_000, 3600) == 2.0


async def test_a_request_is_answered_by_what_is_kept(
    standin: Standin, gemini: tuple[GeminiContexts, GeminiModel]
) -> None:
    await standin.rules({"when": {"system_contains": "rule of the house"}, "answer": "Yes."})
    contexts, model = gemini
    kept = await contexts.make(ask(tools=[FIND]), ttl=600, seconds=20)
    reply = await model.generate(ask(tools=[FIND], context=kept.name), seconds=20)
    assert reply.text == "Yes."
    assert reply.tokens.cached == kept.tokens
    assert reply.tokens.input > reply.tokens.cached
    whole = await model.generate(ask(tools=[FIND]), seconds=20)
    assert (whole.text, whole.tokens.cached) == ("Yes.", 0)


async def test_what_is_gone_or_of_another_model_is_refused(
    standin: Standin, gemini: tuple[GeminiContexts, GeminiModel]
) -> None:
    contexts, model = gemini
    kept = await contexts.make(ask(), ttl=600, seconds=20)
    with pytest.raises(ModelRequestError, match="has to be the same"):
        await model.generate(ask(model="n", context=kept.name), seconds=20)
    async with httpx.AsyncClient(base_url=standin.url) as client:
        at = f"/v1beta1/{kept.name}"
        assert (await client.get(at)).json()["usageMetadata"]["totalTokenCount"] == kept.tokens
        (await client.delete(at)).raise_for_status()
        assert (await client.get(at)).status_code == 404
    with pytest.raises(ModelRequestError, match="404"):
        await model.generate(ask(context=kept.name), seconds=20)


async def test_what_cannot_be_made_for_now_is_told(
    standin: Standin, gemini: tuple[GeminiContexts, GeminiModel]
) -> None:
    await standin.arm("500", times=1, on="cache")
    with pytest.raises(ModelUnreachableError):
        await gemini[0].make(ask(), ttl=600, seconds=20)
    assert (await standin.calls())["by_method"] == {"createCachedContent": 1}
