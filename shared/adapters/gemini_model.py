"""The Model behind Google's Gen AI SDK, on Vertex AI or the Gemini API.

Decides what is waited out (429, 503) and what each failure means. Must not judge an answer's
content.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from json import JSONDecodeError
from typing import Any

import httpx2
from google import genai
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.genai import errors, types
from google.oauth2.credentials import Credentials
from pydantic import ValidationError

from shared.adapters.gemini_answer import reply_of
from shared.adapters.gemini_request import config_of, contents_of
from shared.domain.envelope import ModelRequest
from shared.domain.prices import PriceTable
from shared.domain.records import Tokens
from shared.errors import (
    ModelBusyError,
    ModelMalformedError,
    ModelRequestError,
    ModelUnreachableError,
    SegueError,
)
from shared.ports import ModelReply

MARGIN = 2.0  # seconds that must remain after a wait, or another call is not worth making
_BUSY = frozenset({429, 503})
_TIMED_OUT = frozenset({408, 499})
_SERVER_ERROR = 500
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 16.0
_UNREADABLE = (JSONDecodeError, UnicodeDecodeError, ValidationError, errors.UnknownApiResponseError)
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[SegueError]], ...] = (
    ((httpx2.HTTPError, OSError), ModelUnreachableError),
    ((DefaultCredentialsError,), ModelRequestError),
    ((GoogleAuthError,), ModelUnreachableError),
    (_UNREADABLE, ModelMalformedError),
    ((ValueError,), ModelRequestError),  # the SDK refuses what the API at hand does not know
)

Sleep = Callable[[float], Awaitable[None]]


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
    """Implements `Model`. The keyword arguments are for tests that must not wait."""

    def __init__(
        self,
        client: genai.Client,
        prices: PriceTable,
        *,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._prices = prices
        self._sleep = sleep
        self._jitter = jitter
        self._now = now

    @property
    def provider(self) -> str:
        return "gcp.vertex_ai" if self._client.vertexai else "gcp.gemini"

    def cost(self, model: str, tokens: Tokens) -> float | None:
        return self._prices.cost(model, tokens)

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        until = self._now() + seconds
        config = config_of(request, on_vertex=bool(self._client.vertexai))
        tries = 0
        while True:
            try:
                response = await self._call(request, config, until - self._now())
            except errors.APIError as error:
                if error.code not in _BUSY:
                    raise _refusal(error) from error
                tries += 1
                await self._wait(error, tries, until)
            else:
                return reply_of(response, request.model)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aio.aclose()

    async def _call(
        self, request: ModelRequest, config: types.GenerateContentConfig, seconds: float
    ) -> types.GenerateContentResponse:
        # The SDK's own timeout is for each read, so an answer that drips would pass it.
        timeout = types.HttpOptions(timeout=max(int(seconds * 1000), 1))
        try:
            async with asyncio.timeout(seconds):
                return await self._client.aio.models.generate_content(
                    model=request.model,
                    contents=list(contents_of(request)),
                    config=config.model_copy(update={"http_options": timeout}),
                )
        except errors.APIError:
            raise
        except Exception as error:
            meant = _failure(error, request.model, seconds)
            if meant is None:
                raise
            raise meant from error

    async def _wait(self, error: errors.APIError, tries: int, until: float) -> None:
        grown = min(_FIRST_WAIT * 2 ** (tries - 1), _LONGEST_WAIT)
        seconds = max(grown * (0.5 + self._jitter() / 2), _asked_wait(error))
        if self._now() + seconds + MARGIN > until:
            raise ModelBusyError(f"{_said(error)}, {tries} times") from error
        await self._sleep(seconds)


def _failure(error: Exception, model: str, seconds: float) -> SegueError | None:
    """What an exception of the SDK means; None where it means a defect."""
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return ModelUnreachableError(f"{model} did not answer within {seconds:.0f} s")
    for kinds, meaning in _MEANINGS:
        if isinstance(error, kinds):
            return meaning(f"{type(error).__name__}: {error}"[:500])
    return None


def _refusal(error: errors.APIError) -> SegueError:
    if error.code >= _SERVER_ERROR or error.code in _TIMED_OUT:
        return ModelUnreachableError(_said(error))
    return ModelRequestError(_said(error))


def _said(error: errors.APIError) -> str:
    return f"{error.code} {error.status or ''}: {error.message or 'no message'}"[:500]


def _asked_wait(error: errors.APIError) -> float:
    """Seconds that the answer asks to wait: the header, or Google's RetryInfo."""
    headers: Any = getattr(error.response, "headers", None) or {}
    return max(_seconds(str(headers.get("retry-after", ""))), *map(_delay, _details(error)), 0.0)


def _details(error: errors.APIError) -> list[Any]:
    body = error.details if isinstance(error.details, dict) else {}
    inner = body.get("error")
    found = inner.get("details") if isinstance(inner, dict) else None
    return found if isinstance(found, list) else []


def _delay(detail: Any) -> float:
    return _seconds(str(detail.get("retryDelay", ""))) if isinstance(detail, dict) else 0.0


def _seconds(text: str) -> float:
    try:
        return max(float(text.removesuffix("s")), 0.0)
    except ValueError:  # absent, or a date, which no model server is known to send
        return 0.0
