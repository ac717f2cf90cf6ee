"""Stands between Pub/Sub and the stage hosts and adds what Google's emulator leaves out.

Puts `deliveryAttempt` into push bodies and, as Cloud Run does for a starting instance, holds
requests while a host restarts. Must not know what a stage does or what a message says.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from emulator.serving import abort
from emulator.upstream import BrokenConnectionError, NotConnectedError, Origin, Upstreams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Message, Receive, Scope, Send

    from emulator.upstream import Answer

_HOLD = 20.0
_RETRY_CONNECT = 0.05
_FORGET_AFTER = 3600.0
_NOT_FORWARDED = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding"}
    | {b"upgrade", b"content-length", b"expect"}
)


class Attempts:
    """How often each (subscription, message) was delivered; forgets what is long past."""

    def __init__(self, forget_after: float = _FORGET_AFTER) -> None:
        self._forget_after = forget_after
        self._seen: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def count(self, subscription: str, message_id: str, now: float) -> int:
        """Count one more delivery and return the number of it, from 1."""
        self._prune(now)
        key = (subscription, message_id)
        number = self._seen.pop(key, (0, 0.0))[0] + 1
        self._seen[key] = (number, now)
        return number

    def __len__(self) -> int:
        return len(self._seen)

    def _prune(self, now: float) -> None:
        while self._seen:
            _, touched = next(iter(self._seen.values()))
            if now - touched < self._forget_after:
                return
            self._seen.popitem(last=False)


def with_attempt(body: bytes, attempts: Attempts, now: float) -> bytes:
    """Add `deliveryAttempt` to a wrapped push body; any other body comes back as it is."""
    start = len(body) - len(body.lstrip())
    if body[start : start + 1] != b"{" or b'"subscription"' not in body:
        return body
    try:
        push = json.loads(body)
    except ValueError:
        return body
    message, subscription = push.get("message"), push.get("subscription")
    if not isinstance(message, dict) or not isinstance(subscription, str):
        return body
    message_id = message.get("messageId") or message.get("message_id")
    if "deliveryAttempt" in push or not isinstance(message_id, str):
        return body
    number = attempts.count(subscription, message_id, now)
    return b'%b"deliveryAttempt":%d,%b' % (body[: start + 1], number, body[start + 1 :])


class Gateway:
    """The ASGI application. `routes` (stage -> base URL) may be changed at any time."""

    def __init__(self, routes: dict[str, str], *, hold: float = _HOLD) -> None:
        self.routes = routes
        self._hold = hold
        self._attempts = Attempts()
        self._upstreams = Upstreams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the start and the end of the server."""
        if scope["type"] == "http":
            await self._forward(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        self._upstreams.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        stage, _, rest = scope["path"].lstrip("/").partition("/")
        if stage not in self.routes:
            known = ", ".join(sorted(self.routes)) or "none"
            await _answer(send, 404, f"no stage is called {stage!r}; known stages: {known}")
            return
        body = await _whole_body(receive)
        if body is None:
            return
        if scope["method"] == "POST" and not rest:
            body = with_attempt(body, self._attempts, time.monotonic())
        try:
            answer = await self._send(stage, scope, body, receive)
            chunks = answer.chunks()
            # Before any status is passed on: a host that dies here is still answered for with 503.
            first = await anext(chunks, b"")
        except NotConnectedError:
            await _answer(send, 503, f"stage {stage} did not come up in {self._hold:g} s")
        except BrokenConnectionError as error:
            await _answer(send, 503, f"stage {stage} broke the connection: {error}")
        else:
            await _relay(answer, first, chunks, scope, send)

    async def _send(self, stage: str, scope: Scope, body: bytes, receive: Receive) -> Answer:
        """Send it once connected; only connecting is retried, as what was sent may have acted."""
        give_up = time.monotonic() + self._hold
        gone: asyncio.Future[Message] | None = None
        base = self.routes[stage]
        headers = [pair for pair in scope["headers"] if pair[0] not in _NOT_FORWARDED]
        try:
            while True:
                # Looked up anew each time: a restarted host may listen elsewhere.
                base = self.routes.get(stage, base)
                origin = Origin.of(base)
                target = _target(origin, scope)
                try:
                    return await self._upstreams.request(
                        origin, scope["method"], target, headers, body
                    )
                except NotConnectedError:
                    gone = gone or asyncio.ensure_future(receive())
                    await asyncio.wait({gone}, timeout=_RETRY_CONNECT)
                    if gone.done() or time.monotonic() > give_up:
                        raise
        finally:
            if gone is not None:
                gone.cancel()


def _target(origin: Origin, scope: Scope) -> bytes:
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    _, slash, rest = raw_path.lstrip(b"/").partition(b"/")
    query: bytes = scope["query_string"]
    return (origin.path + slash + rest or b"/") + (b"?" + query if query else b"")


async def _whole_body(receive: Receive) -> bytes | None:
    """Read the request body; None when the sender went away before the end of it."""
    chunks: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


async def _relay(
    answer: Answer, first: bytes, chunks: AsyncIterator[bytes], scope: Scope, send: Send
) -> None:
    headers = [
        (name, value)
        for name, value in answer.headers
        if name == b"content-length" or name not in _NOT_FORWARDED
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    try:
        if first:
            await send({"type": "http.response.body", "body": first, "more_body": True})
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except BrokenConnectionError:
        # The status is out; tearing the connection is all that still tells the sender.
        abort(scope)
    finally:
        answer.close()


async def _answer(send: Send, status: int, error: str) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": error}).encode()})


def build_app(routes: dict[str, str], *, hold: float = _HOLD) -> Gateway:
    """Build the gateway over `routes` itself, so that changing the dict changes the routing."""
    return Gateway(routes, hold=hold)
