"""Cached contents: what requests begin with, kept for a time under a name.

Decides which are kept, and what a request that names one asks in all. Must not know of HTTP.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from emulator.standin.contents import JsonObject, field, objects, text_of
from emulator.standin.question import tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.standin.question import Question

# Source: https://cloud.google.com/vertex-ai/generative-ai/docs/context-cache/context-cache-overview
LEAST_TOKENS = 2048
_HOUR = 3600.0
_HELD = ("systemInstruction", "tools", "toolConfig")


class CacheRefusedError(Exception):
    """What is asked of a cached content cannot be done; `status` is that of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Cache:
    """One cached content."""

    name: str
    model: str
    body: JsonObject
    tokens: int
    made: datetime
    until: datetime

    def shown(self) -> JsonObject:
        """Return what the API tells of it: not what it holds."""
        return {
            "name": self.name,
            "model": self.model,
            "displayName": self.body.get("displayName", ""),
            "createTime": _written(self.made),
            "updateTime": _written(self.made),
            "expireTime": _written(self.until),
            "usageMetadata": {"totalTokenCount": self.tokens},
        }


class Caches:
    """All that there are. `now` is for tests that must not wait."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._known: dict[str, Cache] = {}
        self._numbers = itertools.count(1)

    def create(self, parent: str, body: JsonObject) -> Cache:
        """Keep what a request holds; raises CacheRefusedError."""
        size = _size(body)
        if size < LEAST_TOKENS:
            told = f"total_token_count={size}, min_total_token_count={LEAST_TOKENS}"
            raise CacheRefusedError(400, f"Cached content is too small. {told}")
        made = self._now()
        cache = Cache(
            name=f"{parent}/cachedContents/{next(self._numbers):019d}",
            model=str(body.get("model", "")),
            body=body,
            tokens=size,
            made=made,
            until=made + timedelta(seconds=_ttl(body)),
        )
        self._known[cache.name] = cache
        return cache

    def get(self, name: str) -> Cache:
        """Return one by its full name; raises CacheRefusedError where there is none any more."""
        cache = self._known.get(name)
        if cache is None or cache.until <= self._now():
            number = name.rpartition("/")[2]
            raise CacheRefusedError(404, f"Not found: cached content metadata for {number}.")
        return cache

    def delete(self, name: str) -> None:
        """Forget one; raises CacheRefusedError where there is none."""
        del self._known[self.get(name).name]

    def filled(self, question: Question) -> Question:
        """Return the request with what the cached content holds that it names, if it names one.

        Raises CacheRefusedError.
        """
        name = field(question.body, "cachedContent")
        if not question.generates or name is None:
            return question
        cache = self.get(str(name))
        if cache.model.rpartition("/")[2] != question.model:
            told = f"Model used by GenerateContent request ({question.model}) and CachedContent"
            raise CacheRefusedError(400, f"{told} ({cache.model}) has to be the same.")
        if any(field(question.body, key) is not None for key in _HELD):
            told = "Tool config, tools and system instruction should not be set in the request"
            raise CacheRefusedError(400, f"{told} when using cached content.")
        held = {key: field(cache.body, key) for key in _HELD}
        return replace(
            question,
            system=text_of(held["systemInstruction"] or {}),
            prompt_tokens=question.prompt_tokens + cache.tokens,
            cached_tokens=cache.tokens,
            body={**question.body, **{key: one for key, one in held.items() if one is not None}},
        )


def _size(body: JsonObject) -> int:
    texts = [text_of(field(body, "systemInstruction") or {})]
    texts += map(text_of, objects(body.get("contents", [])))
    texts += [json.dumps(tool) for tool in objects(body.get("tools", []))]
    return tokens("".join(texts))


def _ttl(body: JsonObject) -> float:
    text = str(body.get("ttl", f"{_HOUR}s"))
    try:
        found = float(text.removesuffix("s"))
    except ValueError:
        raise CacheRefusedError(400, f"Invalid value at 'ttl': {text!r}") from None
    if found <= 0:
        raise CacheRefusedError(400, f"ttl has to be more than nothing, and is {text}")
    return found


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
