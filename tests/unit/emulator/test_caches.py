"""Cached contents of the stand-in: kept for their time, and refused as Vertex AI refuses them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.standin.caches import CacheRefusedError, Caches
from emulator.standin.question import Question, read

LONG = {"role": "user", "parts": [{"text": "word " * 2000}]}
BODY = {"model": "projects/p/locations/l/publishers/google/models/m", "systemInstruction": LONG}


class Clock:
    now = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def caches() -> Caches:
    return Caches(lambda: Clock.now)


def asking(**body: Any) -> Question:
    return read("models/m:generateContent", json.dumps({"contents": [], **body}).encode())


def test_a_cached_content_is_there_for_its_time(
    caches: Caches, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = caches.create("projects/p/locations/l", {**BODY, "ttl": "600s"})
    assert made.shown()["expireTime"] == "2026-01-01T00:10:00Z"
    assert caches.filled(asking(cachedContent=made.name)).cached_tokens == made.tokens == 2500
    monkeypatch.setattr(Clock, "now", Clock.now + timedelta(seconds=600))
    with pytest.raises(CacheRefusedError) as refused:
        caches.filled(asking(cachedContent=made.name))
    assert refused.value.status == 404


@pytest.mark.parametrize("held", ["systemInstruction", "tools", "toolConfig"])
def test_what_it_may_hold_is_not_sent_beside_it(caches: Caches, held: str) -> None:
    made = caches.create("projects/p/locations/l", BODY)
    with pytest.raises(CacheRefusedError, match="should not be set"):
        caches.filled(asking(cachedContent=made.name, **{held: {}}))


@pytest.mark.parametrize("ttl", ["an hour", "0s"])
def test_a_time_that_is_none_is_refused(caches: Caches, ttl: str) -> None:
    with pytest.raises(CacheRefusedError, match="ttl"):
        caches.create("projects/p/locations/l", {**BODY, "ttl": ttl})
