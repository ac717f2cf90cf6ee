"""Requests to Google's model API that are sent again while it is busy, and what failures mean.

Decides what is waited out (429, 503). Must not know what is asked, nor judge an answer.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from json import JSONDecodeError
from typing import Any, TypeVar

import httpx2
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.genai import errors, types
from pydantic import ValidationError

from shared.errors import (
    ModelBusyError,
    ModelMalformedError,
    ModelRequestError,
    ModelUnreachableError,
    SegueError,
)

MARGIN = 2.0  # seconds that must remain after a wait, or another call is not worth making
_TOO_MANY = 429
_BUSY = frozenset({_TOO_MANY, 503})
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
T = TypeVar("T")


class Patience:
    """Sends requests within a time. The keyword arguments are for tests that must not wait."""

    def __init__(
        self,
        *,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._jitter = jitter
        self._now = now

    async def answer(
        self, model: str, send: Callable[[types.HttpOptions], Awaitable[T]], *, seconds: float
    ) -> tuple[T, int]:
        """What `send` returns, and how often the model had said before that it is asked too much.

        `send` is given the options with what is left of `seconds`. Raises ModelBusyError,
        ModelUnreachableError, ModelMalformedError, ModelRequestError, with the same number.
        """
        until = self._now() + seconds
        tries = refusals = 0
        while True:
            try:
                return await _once(model, send, until - self._now()), refusals
            except errors.APIError as error:
                if error.code not in _BUSY:
                    refusal = _refusal(error)
                    refusal.refusals = refusals
                    raise refusal from error
                tries += 1
                refusals += error.code == _TOO_MANY
                await self._wait(error, tries, until)
            except SegueError as error:
                error.refusals = refusals
                raise

    async def _wait(self, error: errors.APIError, tries: int, until: float) -> None:
        grown = min(_FIRST_WAIT * 2 ** (tries - 1), _LONGEST_WAIT)
        seconds = max(grown * (0.5 + self._jitter() / 2), _asked_wait(error))
        if self._now() + seconds + MARGIN > until:
            raise ModelBusyError(f"{_said(error)}, {tries} times") from error
        await self._sleep(seconds)


async def _once(model: str, send: Callable[[types.HttpOptions], Awaitable[T]], seconds: float) -> T:
    # The SDK's own timeout is for each read, so an answer that drips would pass it.
    options = types.HttpOptions(timeout=max(int(seconds * 1000), 1))
    try:
        async with asyncio.timeout(seconds):
            return await send(options)
    except errors.APIError:
        raise
    except Exception as error:
        meant = _failure(error, model, seconds)
        if meant is None:
            raise
        raise meant from error


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
