"""Vectors without a model: texts that share words are near; equal on every machine."""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter, deque
from collections.abc import Iterable
from zlib import crc32

from shared.domain.records import Tokens
from shared.domain.retrieval.vectors import Embedded, EmbedRequest, Vector
from shared.errors import ModelRequestError, SegueError


class WordEmbedder:
    """Implements `Embedder`. `calls` are the requests; `errors` are raised first, one a call."""

    provider = "double"

    def __init__(
        self, errors: Iterable[SegueError] = (), *, usd_per_token: float | None = 1e-7
    ) -> None:
        self.calls: list[EmbedRequest] = []
        self.errors = deque(errors)
        self._usd_per_token = usd_per_token

    @property
    def embedded(self) -> Counter[str]:
        """How often each text was embedded."""
        return Counter(text for call in self.calls for text in call.texts)

    async def embed(self, request: EmbedRequest, *, seconds: float) -> Embedded:
        del seconds  # it never takes any
        await asyncio.sleep(0)
        if not all(text.strip() for text in request.texts):
            raise ModelRequestError("there is a text with no words to be embedded")
        self.calls.append(request)
        if self.errors:
            raise self.errors.popleft()
        vectors = tuple(_vector(text, request.dimensions) for text in request.texts)
        tokens = sum(max(len(text) // 4, 1) for text in request.texts)
        return Embedded(vectors, Tokens(input=tokens), request.model)

    def cost(self, model: str, tokens: Tokens) -> float | None:
        if self._usd_per_token is None:
            return None
        return round(tokens.input * self._usd_per_token, 9)


def _vector(text: str, dimensions: int) -> Vector:
    """Counts of the words that each number stands for, as a vector of length one."""
    values = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()):
        values[crc32(word.encode()) % dimensions] += 1.0
    length = math.sqrt(sum(value * value for value in values))
    if not length:
        return Vector((1.0, *values[1:]))
    return Vector(tuple(value / length for value in values))
