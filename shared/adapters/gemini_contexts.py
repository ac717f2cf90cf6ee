"""What requests begin with, kept by Google's model API: its cached contents.

Knows nothing of who else uses one, nor of how long that pays.
"""

from __future__ import annotations

from typing import Any

from google import genai
from google.genai import types

from shared.adapters.gemini_model import provider_of
from shared.adapters.gemini_patience import Patience
from shared.adapters.gemini_request import prefix_of
from shared.domain.budgets.prices import PriceTable
from shared.domain.envelope import ModelRequest
from shared.errors import ModelMalformedError
from shared.ports import KeptContext

_NAME = "segue"  # by which people know them in a list


class GeminiContexts:
    """Implements `ContextCaches`. `waiting` is for tests that must not wait: see `Patience`."""

    def __init__(self, client: genai.Client, prices: PriceTable, **waiting: Any) -> None:
        self._client = client
        self._prices = prices
        self._patience = Patience(**waiting)

    @property
    def provider(self) -> str:
        return provider_of(self._client)

    def cost(self, model: str, tokens: int, seconds: float) -> float | None:
        return self._prices.keeping(model, tokens, seconds)

    async def make(self, request: ModelRequest, *, ttl: float, seconds: float) -> KeptContext:
        config = types.CreateCachedContentConfig(
            display_name=_NAME, ttl=f"{ttl:g}s", **prefix_of(request)
        )

        async def send(options: types.HttpOptions) -> types.CachedContent:
            return await self._client.aio.caches.create(
                model=request.model, config=config.model_copy(update={"http_options": options})
            )

        made, _ = await self._patience.answer(request.model, send, seconds=seconds)
        told = made.usage_metadata.total_token_count if made.usage_metadata is not None else None
        if not made.name or told is None:
            raise ModelMalformedError(f"{request.model} made a cache without name or size")
        return KeptContext(made.name, told)
