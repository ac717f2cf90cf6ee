"""The Embedder behind Google's Gen AI SDK, on Vertex AI or the Gemini API.

Decides how many texts one request holds. Must not know what the vectors are for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from google import genai
from google.genai import types

from shared.adapters.gemini_model import provider_of
from shared.adapters.gemini_patience import Patience
from shared.domain.budgets.prices import PriceTable
from shared.domain.records import Tokens
from shared.domain.retrieval.vectors import Embedded, EmbedRequest, Vector
from shared.errors import ModelMalformedError, ModelRequestError

T = TypeVar("T")
_TASKS = {"document": "RETRIEVAL_DOCUMENT", "query": "RETRIEVAL_QUERY"}
_AT_ONCE = 8  # requests under way, where each holds one text
_CHARACTERS_PER_TOKEN = 4  # where the answer does not say what it is billed as


class GeminiEmbedder:
    """Implements `Embedder`. `waiting` is for tests that must not wait: it goes to `Patience`."""

    def __init__(self, client: genai.Client, prices: PriceTable, **waiting: Any) -> None:
        self._client = client
        self._prices = prices
        self._patience = Patience(**waiting)

    @property
    def provider(self) -> str:
        return provider_of(self._client)

    def cost(self, model: str, tokens: Tokens) -> float | None:
        return self._prices.cost(model, tokens)

    async def embed(self, request: EmbedRequest, *, seconds: float) -> Embedded:
        if not all(text.strip() for text in request.texts):
            raise ModelRequestError("there is a text with no words to be embedded")
        size, texts = request.per_request, request.texts
        parts = [texts[at : at + size] for at in range(0, len(texts), size)]
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(part: Sequence[str]) -> tuple[list[types.ContentEmbedding], int]:
            async with room:
                return await self._ask(request, part, seconds)

        answers = await _all(one(part) for part in parts)
        found = [each for answer, _ in answers for each in answer]
        tokens = sum(_tokens(*pair) for pair in zip(found, texts, strict=True))
        vectors = tuple(Vector(tuple(each.values or ())) for each in found)
        refusals = sum(refused for _, refused in answers)
        return Embedded(vectors, Tokens(input=tokens), request.model, refusals)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aio.aclose()

    async def _ask(
        self, request: EmbedRequest, texts: Sequence[str], seconds: float
    ) -> tuple[list[types.ContentEmbedding], int]:
        async def send(options: types.HttpOptions) -> types.EmbedContentResponse:
            return await self._client.aio.models.embed_content(
                model=request.model,
                contents=list(texts),
                config=types.EmbedContentConfig(
                    task_type=_TASKS[request.purpose],
                    output_dimensionality=request.dimensions,
                    http_options=options,
                ),
            )

        answer, refusals = await self._patience.answer(request.model, send, seconds=seconds)
        found = answer.embeddings or []
        lengths = {len(each.values or ()) for each in found}
        if len(found) != len(texts) or lengths - {request.dimensions}:
            told = f"{len(found)} vectors of {sorted(lengths)} numbers for {len(texts)} texts"
            raise ModelMalformedError(f"{request.model} gave {told}")
        return found, refusals


async def _all(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all give; where one fails, the others are stopped first."""
    tasks = [asyncio.create_task(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _tokens(found: types.ContentEmbedding, text: str) -> int:
    told = found.statistics.token_count if found.statistics is not None else None
    return int(told) if told else -(-len(text) // _CHARACTERS_PER_TOKEN)
