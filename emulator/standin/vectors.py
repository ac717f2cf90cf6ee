"""Embeddings without a model: a hashed bag of words, so that texts sharing words are near.

Deterministic across processes and machines. Must not know of HTTP; reads the three request shapes.
"""

from __future__ import annotations

import hashlib
import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from emulator.standin.contents import field, objects, text_of
from emulator.standin.question import tokens

if TYPE_CHECKING:
    from emulator.standin.question import Question

JsonObject = dict[str, Any]

_DEFAULT_DIMENSIONS = 3072
_OLD_MODEL_DIMENSIONS = 768
_FUNCTION_WORD_LENGTH = 3
_FUNCTION_WORD_WEIGHT = 0.2


def embed(text: str, dimensions: int) -> list[float]:
    """Return a unit vector for the text; equal texts give equal vectors."""
    values = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()):
        weight = _FUNCTION_WORD_WEIGHT if len(word) <= _FUNCTION_WORD_LENGTH else 1.0
        for place, sign in _places(_stem(word), dimensions):
            values[place] += sign * weight
    norm = math.sqrt(sum(value * value for value in values))
    if norm == 0.0:
        return [1.0] + [0.0] * (dimensions - 1)
    return [round(value / norm, 8) for value in values]


def embeddings_body(question: Question) -> JsonObject:
    """Answer `predict`, `embedContent` or `batchEmbedContents` in its own shape."""
    answer = {"predict": _predict, "embedContent": _embed_content}
    return answer.get(question.method, _batch_embed_contents)(question)


def _predict(question: Question) -> JsonObject:
    instances = objects(question.body.get("instances", []))
    texts = [str(instance.get("content", "")) for instance in instances]
    size = _dimensions(question.model, question.body.get("parameters") or {})
    predictions = [
        {"embeddings": {**_values(text, size), "statistics": _statistics(text)}} for text in texts
    ]
    characters = sum(len(text) for text in texts)
    return {"predictions": predictions, "metadata": {"billableCharacterCount": characters}}


def _embed_content(question: Question) -> JsonObject:
    text, size = _single(question.model, question.body)
    return {
        "embedding": _values(text, size),
        "usageMetadata": {"promptTokenCount": tokens(text), "totalTokenCount": tokens(text)},
        "truncated": False,
    }


def _batch_embed_contents(question: Question) -> JsonObject:
    asked = [_single(question.model, each) for each in objects(question.body.get("requests", []))]
    count = sum(tokens(text) for text, _ in asked)
    return {
        "embeddings": [_values(text, size) for text, size in asked],
        "usageMetadata": {"promptTokenCount": count, "totalTokenCount": count},
    }


def _single(model: str, request: JsonObject) -> tuple[str, int]:
    config = {**request, **(field(request, "embedContentConfig") or {})}
    return text_of(request.get("content") or {}), _dimensions(model, config)


def _dimensions(model: str, config: JsonObject) -> int:
    asked = field(config, "outputDimensionality")
    if asked:
        return int(asked)
    return _DEFAULT_DIMENSIONS if "gemini" in model else _OLD_MODEL_DIMENSIONS


def _values(text: str, size: int) -> JsonObject:
    return {"values": embed(text, size)}


def _statistics(text: str) -> JsonObject:
    return {"token_count": tokens(text), "truncated": False}


def _stem(word: str) -> str:
    return re.sub(r"(ies|ing|ed|es|s)$", "", word) if len(word) > _FUNCTION_WORD_LENGTH else word


@lru_cache(maxsize=65536)
def _places(word: str, dimensions: int) -> tuple[tuple[int, float], ...]:
    # Eight places per word: two words are almost never alike by accident, even in few dimensions.
    digest = hashlib.blake2b(word.encode(), digest_size=32).digest()
    numbers = [int.from_bytes(digest[i : i + 4], "big") for i in range(0, 32, 4)]
    return tuple(((number >> 1) % dimensions, 1.0 if number & 1 else -1.0) for number in numbers)
