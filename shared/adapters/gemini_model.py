"""The Model behind Google's Gen AI SDK, on Vertex AI or the Gemini API.

What is waited out and what failures mean is `Patience`'s business. Must not judge an answer's
content.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from shared.adapters.gemini_answer import reply_of
from shared.adapters.gemini_patience import Patience
from shared.adapters.gemini_request import config_of, contents_of
from shared.domain.budgets.prices import PriceTable
from shared.domain.envelope import ModelRequest
from shared.domain.records import Tokens
from shared.errors import SegueError
from shared.ports import ModelReply


def build_client(
    *, project: str, location: str, api_key: str | None, base_url: str | None, local: bool
) -> genai.Client:
    """A client for Vertex AI, or with an API key for the Gemini API.

    `local` is for a stand-in at `base_url`, which asks for no real credentials.
    """
    options = types.HttpOptions(base_url=base_url)
    if api_key:
        return genai.Client(enterprise=False, api_key=api_key, http_options=options)
    credentials = Credentials("local") if local else None  # type: ignore[no-untyped-call]
    # The SDK forgets a project and location from the environment once a base URL is set.
    return genai.Client(
        enterprise=True,
        project=project,
        location=location,
        credentials=credentials,
        http_options=options,
    )


class GeminiModel:
    """Implements `Model`. `waiting` is for tests that must not wait: it goes to `Patience`."""

    def __init__(self, client: genai.Client, prices: PriceTable, **waiting: Any) -> None:
        self._client = client
        self._prices = prices
        self._patience = Patience(**waiting)

    @property
    def provider(self) -> str:
        return provider_of(self._client)

    def cost(self, model: str, tokens: Tokens) -> float | None:
        return self._prices.cost(model, tokens)

    def most_output(self, model: str) -> int | None:
        return self._prices.most_output(model)

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        config = config_of(request, on_vertex=bool(self._client.vertexai))

        async def send(options: types.HttpOptions) -> types.GenerateContentResponse:
            return await self._client.aio.models.generate_content(
                model=request.model,
                contents=list(contents_of(request)),
                config=config.model_copy(update={"http_options": options}),
            )

        response, refusals = await self._patience.answer(request.model, send, seconds=seconds)
        try:
            return replace(reply_of(response, request.model), refusals=refusals)
        except SegueError as error:  # an answer that is none
            error.refusals = refusals
            raise

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aio.aclose()


def provider_of(client: genai.Client) -> str:
    """Whose API a client speaks to, as OpenTelemetry's conventions have it."""
    return "gcp.vertex_ai" if client.vertexai else "gcp.gemini"
