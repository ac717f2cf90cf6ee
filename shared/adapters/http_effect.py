"""Sends an HTTP request that a flow asks for, to the host it names and to no other.

Decides which answers pass. Error texts name method, host and status: paths and headers may
hold secrets.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import httpx

from shared.adapters.http_targets import addresses_of
from shared.domain.actions import HttpRequest
from shared.domain.model import Json
from shared.errors import ActionFailedError, EffectUnavailableError

MAX_BODY_BYTES = 256 * 1024
_KEPT_HEADERS = ("content-type", "date", "etag", "last-modified", "location", "x-request-id")
_MAX_REDIRECTS = 3
_KEEPS_METHOD = frozenset({307, 308})
_COME_BACK = frozenset({408, 425, 429})
# A header or a body that HTTP has no form for, or a redirect to what is no URL.
_UNSENDABLE = (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL, ValueError)
_SHORTEST_SECRET = 6  # a shorter word is in any text
_CLIENT_ERROR = 400
_SERVER_ERROR = 500


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: httpx.Headers
    body: bytes
    redirect: httpx.URL | None = None


@dataclass(frozen=True)
class _Call:
    """One request, and how errors speak of it."""

    method: str
    url: httpx.URL
    headers: httpx.Headers
    json: Json

    @property
    def name(self) -> str:
        return f"{self.method} to {self.url.host}"


class HttpEffect:
    """Carries out `http.request`. The client must not follow redirects or use proxies."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def request(self, action: HttpRequest, key: str) -> Json:
        """Status, a few headers, and the body as JSON where it is JSON."""
        headers = httpx.Headers(action.headers, encoding="utf-8")
        headers.setdefault("Idempotency-Key", key)
        url = httpx.URL(str(action.url))
        call = _Call(action.method, url, headers, action.json_body)
        try:
            async with asyncio.timeout(action.timeout):
                answer = await self._follow(call, action.timeout)
        except (TimeoutError, httpx.TimeoutException) as error:
            message = f"{call.name} was not answered within {action.timeout:g} s"
            raise EffectUnavailableError(message) from error
        except _UNSENDABLE as error:
            raise ActionFailedError(
                f"{call.name} cannot be sent: {type(error).__name__}"
            ) from error
        except httpx.HTTPError as error:
            raise EffectUnavailableError(f"{call.name}: {type(error).__name__}") from error
        _require_success(call, answer)
        kept = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        return {"status": answer.status, "headers": dict(kept), "body": _read(answer)}

    async def _follow(self, call: _Call, seconds: float) -> _Answer:
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self._send(call, seconds)
            if answer.redirect is None:
                return answer
            call = _redirected(call, answer.redirect, answer.status)
        raise ActionFailedError(f"{call.name} was redirected more than {_MAX_REDIRECTS} times")

    async def _send(self, call: _Call, seconds: float) -> _Answer:
        port = call.url.port or (443 if call.url.scheme == "https" else 80)
        *others, last = await addresses_of(call.url.host, port)
        for address in others:
            try:
                return await self._send_to(address, call, seconds)
            except httpx.ConnectError:  # nothing was sent: the next address may be tried
                continue
        return await self._send_to(last, call, seconds)

    async def _send_to(self, address: str, call: _Call, seconds: float) -> _Answer:
        headers = httpx.Headers(call.headers, encoding="utf-8")
        headers["Host"] = call.url.netloc.decode("ascii")
        request = self._client.build_request(
            call.method,
            call.url.copy_with(host=address),
            headers=headers,
            json=call.json,
            timeout=seconds,
            # TLS still asks for the name, and checks the certificate against it.
            extensions={"sni_hostname": call.url.host},
        )
        response = await self._client.send(request, stream=True)
        try:
            body = await _body(response, call)
        finally:
            await response.aclose()
        redirect = None
        if response.has_redirect_location:
            redirect = call.url.join(response.headers["location"])
        return _Answer(response.status_code, response.headers, body, redirect)


def _redirected(call: _Call, to: httpx.URL, status: int) -> _Call:
    """The same request at its new place, as long as that is the same host."""
    if to.scheme not in {"http", "https"} or (call.url.scheme, to.scheme) == ("https", "http"):
        raise ActionFailedError(f"{call.name} was redirected to {to.scheme}: use https")
    if to.host != call.url.host:
        raise ActionFailedError(f"{call.name} was redirected to {to.host}: name the host itself")
    if call.method != "GET" and status not in _KEEPS_METHOD:
        raise ActionFailedError(f"{call.name} answered {status}: use the URL it redirects to")
    return replace(call, url=to)


async def _body(response: httpx.Response, call: _Call) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            limit = f"{MAX_BODY_BYTES:,} bytes"
            raise ActionFailedError(f"{call.name} was carried out; its answer is over {limit}")
    return bytes(body)


def _require_success(call: _Call, answer: _Answer) -> None:
    if answer.status >= _SERVER_ERROR or answer.status in _COME_BACK:
        raise EffectUnavailableError(f"{call.name} answered {answer.status}")
    if answer.status >= _CLIENT_ERROR:
        raise ActionFailedError(f"{call.name} answered {answer.status}{_excerpt(call, answer)}")


def _excerpt(call: _Call, answer: _Answer) -> str:
    """What the server says, without the credentials it may be quoting."""
    text = answer.body[:4096].decode(errors="replace").strip()
    for value in call.headers.values():
        for secret in {value, value.rpartition(" ")[2]}:
            text = text.replace(secret, "***") if len(secret) >= _SHORTEST_SECRET else text
    return f": {text[:300]}" if text else ""


def _read(answer: _Answer) -> Any:
    response = httpx.Response(answer.status, content=answer.body)
    response.headers["content-type"] = answer.headers.get("content-type", "")
    try:
        return response.json()
    except ValueError:
        return response.text
