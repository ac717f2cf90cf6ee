"""What every Embedder guarantees: held by the double, and by Gemini's adapter on the stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from shared.adapters.gemini_embedder import GeminiEmbedder
from shared.adapters.gemini_model import build_client
from shared.domain.budgets.prices import PriceTable
from shared.domain.retrieval.vectors import EmbedRequest
from shared.errors import ModelRequestError, ModelUnreachableError
from shared.testing.memory_embedder import WordEmbedder

if TYPE_CHECKING:
    from shared.ports import Embedder
    from tests.contract.conftest import Standin

NO_PRICES = PriceTable.model_validate({"as_of": "2026-10-07", "source": "none", "models": {}})
TEXTS = ("cats and dogs", "dogs and horses", "stars shine by night")


async def no_sleep(_seconds: float) -> None:
    return None


def request(*texts: str, model: str = "gemini-embedding-001", size: int = 64) -> EmbedRequest:
    return EmbedRequest(texts or TEXTS, model, size)


@pytest_asyncio.fixture(loop_scope="session")
async def gemini(standin: Standin) -> AsyncIterator[GeminiEmbedder]:
    client = build_client(
        project="p", location="us-central1", api_key=None, base_url=standin.url, local=True
    )
    built = GeminiEmbedder(client, NO_PRICES, sleep=no_sleep, jitter=lambda: 1.0)
    yield built
    await built.aclose()


@pytest.fixture(params=["double", "gemini"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    if request.param == "gemini":
        found: Embedder = request.getfixturevalue("gemini")
        return found
    return WordEmbedder()


@pytest.mark.parametrize(
    "model", ["gemini-embedding-001", "gemini-embedding-2", "text-embedding-005"]
)
async def test_each_text_has_a_vector_and_alike_texts_are_near(
    embedder: Embedder, model: str
) -> None:
    answer = await embedder.embed(request(model=model), seconds=20)
    cats, horses, stars = answer.vectors
    assert {len(vector.values) for vector in answer.vectors} == {64}
    assert cats.distance(horses) < cats.distance(stars)
    assert answer.tokens.input > 0
    assert answer.model == model


async def test_a_text_has_one_vector_whatever_comes_with_it(embedder: Embedder) -> None:
    together = await embedder.embed(request(), seconds=20)
    alone = await embedder.embed(request(TEXTS[1]), seconds=20)
    assert together.vectors[1] == alone.vectors[0]


async def test_a_text_without_words_is_refused(embedder: Embedder) -> None:
    with pytest.raises(ModelRequestError, match="no words"):
        await embedder.embed(request("cats", " "), seconds=20)


@pytest.mark.parametrize(
    ("model", "requests"),
    [("gemini-embedding-001", 3), ("gemini-embedding-2", 3), ("text-embedding-005", 1)],
)
async def test_a_request_holds_as_many_texts_as_the_model_takes(
    gemini: GeminiEmbedder, standin: Standin, model: str, requests: int
) -> None:
    await gemini.embed(request(model=model), seconds=20)
    assert (await standin.calls())["total"] == requests


async def test_a_busy_model_is_waited_out_and_a_broken_one_is_not(
    gemini: GeminiEmbedder, standin: Standin
) -> None:
    await standin.arm("429", on="embed", times=1)
    assert len((await gemini.embed(request(), seconds=20)).vectors) == 3
    await standin.arm("500", on="embed", times=3)
    with pytest.raises(ModelUnreachableError):
        await gemini.embed(request(), seconds=20)
