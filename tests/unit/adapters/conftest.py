"""A GeminiModel on the scripted API, with a clock that moves only where something sleeps."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from shared.adapters.gemini_model import GeminiModel
from tests.unit.adapters.gemini_api import NO_PRICES, Api, Made


@pytest.fixture
def api() -> Api:
    return Api()


@pytest_asyncio.fixture(loop_scope="session")
async def make(api: Api) -> AsyncIterator[Made]:
    built: list[GeminiModel] = []

    def made(*, vertex: bool = True) -> GeminiModel:
        options = types.HttpOptions(
            async_client_args={"transport": httpx2.MockTransport(api.handle)}
        )
        if vertex:
            client = genai.Client(
                enterprise=True,
                project="p",
                location="global",
                credentials=Credentials("t"),  # type: ignore[no-untyped-call]
                http_options=options,
            )
        else:
            client = genai.Client(enterprise=False, api_key="k", http_options=options)
        built.append(
            GeminiModel(client, NO_PRICES, sleep=api.sleep, jitter=lambda: 1.0, now=lambda: api.now)
        )
        return built[-1]

    yield made
    for model in built:
        await model.aclose()
