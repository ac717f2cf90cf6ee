"""A model's memory for what requests begin with, in memory: counted, priced and forgetful."""

from __future__ import annotations

import asyncio

from shared.domain.envelope import ModelRequest
from shared.domain.model_calls.contexts import most_prefix
from shared.errors import ModelRequestError, SegueError
from shared.ports import KeptContext

_BYTES_PER_TOKEN = 4


class MemoryContexts:
    """Implements `ContextCaches`. `made` are the requests whose prefixes are kept, by name.

    `error` is raised instead, if there is one. Whoever wants one forgotten takes it out of `made`.
    """

    provider = "double"

    def __init__(self, *, least: int = 1024, usd_per_token: float | None = 2e-6) -> None:
        self.made: dict[str, ModelRequest] = {}
        self.error: SegueError | None = None
        self.asked = 0
        self._least = least
        self._usd_per_token = usd_per_token

    async def make(self, request: ModelRequest, *, ttl: float, seconds: float) -> KeptContext:
        self.asked += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        tokens = most_prefix(request) // _BYTES_PER_TOKEN
        if tokens < self._least:
            raise ModelRequestError(f"{tokens} tokens; {self._least} are the least")
        name = f"cachedContents/{self.asked}"
        self.made[name] = request
        return KeptContext(name, tokens)

    def cost(self, model: str, tokens: int, seconds: float) -> float | None:
        price = self._usd_per_token
        return round(tokens * price, 9) if price is not None else None
