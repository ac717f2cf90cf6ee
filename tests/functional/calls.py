"""Functions that the flows of these tests call; `SEEN` tells how often, `BROKEN` what must fail."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from shared.calls import registered
from shared.domain.model import Json
from shared.errors import EffectUnavailableError

SEEN: Counter[str] = Counter()
BROKEN: set[str] = set()


@registered("test.echo")
async def echo(value: Json = None) -> Json:
    return value


@registered("test.count")
async def count(name: str, value: Json = None) -> Json:
    """Counts the call under `name`, and fails while `name` is broken."""
    SEEN[name] += 1
    if name in BROKEN:
        raise RuntimeError(f"{name} is broken")
    return value


@registered("test.fail")
async def fail(name: str = "") -> None:
    """Counts the call under `name`, and fails each time."""
    SEEN[name] += 1
    raise RuntimeError("it always fails")


@registered("test.fail_if")
async def fail_if(*, broken: bool, value: Json = None) -> Json:
    if broken:
        raise RuntimeError("it is broken")
    return value


@registered("test.text")
async def text(size: int, letter: str = "x") -> str:
    return letter * size


@registered("test.hang")
async def hang() -> None:
    await asyncio.Event().wait()


@registered("test.busy")
async def busy() -> None:
    raise EffectUnavailableError("the CRM says 503")


@registered("test.odd")
async def odd(what: str) -> Any:
    """What JSON cannot hold."""
    return {"object": object(), "bytes": b"\xff", "surrogate": "\ud83d"}[what]


@registered("test.sync")
def sync(value: int) -> int:
    return value + 1


@registered("test.maybe_busy")
async def maybe_busy(*, busy: bool) -> str:
    if busy:
        raise EffectUnavailableError("the CRM says 503")
    return "done"
