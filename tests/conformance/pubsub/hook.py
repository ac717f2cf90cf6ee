"""A push endpoint: it records what is pushed and answers as it is told."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.conformance.pubsub.lane import PATIENCE


@dataclass(frozen=True)
class Pushed:
    """One pushed request. `at` is monotonic, in seconds."""

    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def envelope(self) -> dict[str, Any]:
        """The body of a wrapped push."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def data(self) -> bytes:
        """The message's data in a wrapped push."""
        return base64.b64decode(self.envelope["message"].get("data", ""))


@dataclass
class Hook:
    """One URL of the endpoint. `answer` decides the HTTP status, by default 200."""

    url: str
    answer: Callable[[Pushed], int] = lambda _: 200
    pushed: list[Pushed] = field(default_factory=list)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, pushed: Pushed) -> int:
        """Record a request and decide its answer."""
        self.pushed.append(pushed)
        self._arrived.set()
        return self.answer(pushed)

    async def received(self, count: int, *, within: float = PATIENCE) -> list[Pushed]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(within):
            while len(self.pushed) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.pushed

    def gaps(self) -> list[float]:
        """The seconds between one request and the next."""
        times = [each.at for each in self.pushed]
        return [later - earlier for earlier, later in itertools.pairwise(times)]


class Hooks:
    """All URLs of the endpoint; an unknown one answers 200 and is forgotten."""

    def __init__(self) -> None:
        self.by_path: dict[str, Hook] = defaultdict(lambda: Hook(""))

    def application(self) -> Starlette:
        async def take(request: Request) -> Response:
            pushed = Pushed(dict(request.headers), await request.body(), time.monotonic())
            return Response(status_code=self.by_path[request.url.path].take(pushed))

        return Starlette(routes=[Route("/{path:path}", take, methods=["POST"])])
