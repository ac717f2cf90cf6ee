"""Sends push requests over HTTP and says whether the endpoint acknowledged.

Decides nothing about when or how often: `dispatch` does. httpx, for TLS and unusual URLs, is
imported when the first push subscription needs it: most processes never do.
"""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from emulator.embedded.pubsub.rpc.push_request import PushRequest, is_ack
from emulator.upstream import Origin, Upstreams

if TYPE_CHECKING:
    import httpx

_REMEMBERED = 256  # endpoints
_log = logging.getLogger(__name__)


@lru_cache(_REMEMBERED)
def is_plain(url: str) -> bool:
    """Whether a URL is plain HTTP, without a user and without characters that need escaping."""
    try:
        parts = urlsplit(url)
        known = parts.scheme == "http" and parts.hostname and parts.port != 0
    except ValueError:
        return False
    usual = url.isascii() and url.isprintable() and " " not in url
    return bool(known) and usual and "@" not in parts.netloc


@lru_cache(_REMEMBERED)
def _place(url: str) -> tuple[Origin, bytes, bytes]:
    """Where to connect to, the Host header, and what to ask for there."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Origin.of(url), parts.netloc.encode(), target.encode()


class HttpPusher:
    """Keeps its connections open until `stop`. Redirects and proxies are not followed."""

    def __init__(self) -> None:
        self._plain = Upstreams()
        self._httpx: httpx.AsyncClient | None = None

    def prepare(self, endpoint: str) -> None:
        """Make what the first push to this endpoint will need."""
        if not is_plain(endpoint):
            self._client()

    async def __call__(self, request: PushRequest) -> bool:
        """Whether the endpoint acknowledged within the timeout. Raises nothing but cancellation."""
        try:
            async with asyncio.timeout(request.timeout):
                return is_ack(await self._status(request))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, it is no acknowledgement
            _log.debug("push to %s failed: %r", request.url, error)
            return False

    async def stop(self) -> None:
        self._plain.close()
        if self._httpx is not None:
            await self._httpx.aclose()

    async def _status(self, request: PushRequest) -> int:
        if is_plain(request.url):
            return await self._plainly(request)
        headers = list(request.headers.items())
        answer = await self._client().post(request.url, headers=headers, content=request.body)
        return answer.status_code

    async def _plainly(self, request: PushRequest) -> int:
        origin, host, target = _place(request.url)
        headers = [(b"host", host), *request.headers.items()]
        answer = await self._plain.request(origin, "POST", target, headers, request.body)
        try:
            async for _ in answer.chunks():  # read to its end, the connection serves again
                pass
        finally:
            answer.close()
        return answer.status

    def _client(self) -> httpx.AsyncClient:
        if self._httpx is None:
            import httpx  # noqa: PLC0415 - see the module's docstring

            limits = httpx.Limits(max_connections=None)
            # Each request has a timeout of its own.
            patient = httpx.Timeout(None)
            self._httpx = httpx.AsyncClient(trust_env=False, timeout=patient, limits=limits)
        return self._httpx
