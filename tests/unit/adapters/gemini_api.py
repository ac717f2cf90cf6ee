"""Google's model API with scripted answers, for the tests of the adapter."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2

from shared.adapters.gemini_model import GeminiModel
from shared.domain.budgets.prices import PriceTable
from shared.domain.envelope import ModelRequest

NO_PRICES = PriceTable.model_validate({"as_of": "2026-10-07", "source": "none", "models": {}})
Answer = httpx2.Response | Exception


def ask(**fields: Any) -> ModelRequest:
    return ModelRequest.model_validate(
        {"model": "gemini-test", "messages": (("user", "Hello?"),), **fields}
    )


def candidate(text: str = "Hi.", **fields: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}] if text else []}
    return {"candidates": [{"content": content, "finishReason": "STOP", **fields}]}


def ok(body: Any) -> httpx2.Response:
    return httpx2.Response(200, json=body)


def busy(status: int = 429, headers: dict[str, str] | None = None, **error: Any) -> httpx2.Response:
    body = {"error": {"code": status, "message": "busy", "status": "BUSY", **error}}
    return httpx2.Response(status, json=body, headers=headers or {})


class Api:
    """Google's API with scripted answers, and a clock that moves only where something sleeps."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[httpx2.Request] = []
        self.slept: list[float] = []
        self.now = 1000.0

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else ok(candidate())
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def body(self) -> dict[str, Any]:
        sent: dict[str, Any] = json.loads(self.requests[-1].content)
        return sent


Made = Callable[..., GeminiModel]
