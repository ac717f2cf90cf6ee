"""What an HTTP action sends, follows and refuses; no network."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from shared.adapters import http_effect, http_targets
from shared.adapters.http_effect import MAX_BODY_BYTES, HttpEffect
from shared.domain.actions import HttpRequest, action_of
from shared.errors import ActionFailedError, EffectUnavailableError, SegueError

URL = "https://api.example.com/v1/tickets?token=hush"
Answer = httpx.Response | Exception


class Web:
    """Scripted answers, the requests they met, and what names resolve to."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[httpx.Request] = []
        self.names = {"api.example.com": ["203.0.113.7"]}

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else httpx.Response(200, json={"ok": True})
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def addresses_of(self, host: str, _port: int) -> list[str]:
        return self.names[host]


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    web = Web()
    monkeypatch.setattr(http_effect, "addresses_of", web.addresses_of)
    return web


@pytest_asyncio.fixture(loop_scope="session")
async def effect(web: Web) -> AsyncIterator[HttpEffect]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(web.handle)) as client:
        yield HttpEffect(client)


def action(url: str = URL, **fields: Any) -> HttpRequest:
    found = action_of("http.request", {"url": url, **fields})
    assert isinstance(found, HttpRequest)
    return found


async def test_a_host_is_called_by_its_checked_address_under_its_own_name(
    web: Web, effect: HttpEffect
) -> None:
    await effect.request(action(json={"a": 1}, headers={"X-Own": "yes", "Host": "evil"}), "key-1")
    [sent] = web.requests
    assert (sent.url.host, sent.url.path) == ("203.0.113.7", "/v1/tickets")
    assert sent.headers["host"] == "api.example.com"
    assert sent.extensions["sni_hostname"] == "api.example.com"
    assert sent.headers["idempotency-key"] == "key-1"
    assert sent.headers["x-own"] == "yes"
    assert json.loads(sent.content) == {"a": 1}


async def test_an_idempotency_key_of_the_flow_is_kept(web: Web, effect: HttpEffect) -> None:
    await effect.request(action(headers={"idempotency-key": "own"}), "key-1")
    assert web.requests[0].headers.get_list("idempotency-key") == ["own"]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (httpx.Response(200, json={"n": [1]}), {"n": [1]}),
        (httpx.Response(201, text="plain"), "plain"),
        (httpx.Response(204), ""),
        (httpx.Response(200, text="7", headers={"content-type": "text/plain"}), 7),
    ],
)
async def test_a_body_is_json_where_it_can_be(
    web: Web, effect: HttpEffect, answer: httpx.Response, body: Any
) -> None:
    web.answers = [answer]
    result = await effect.request(action(), "k")
    assert isinstance(result, dict)
    assert (result["status"], result["body"]) == (answer.status_code, body)


async def test_only_telling_headers_are_kept(web: Web, effect: HttpEffect) -> None:
    web.answers = [httpx.Response(200, json={}, headers={"ETag": "1", "Set-Cookie": "secret"})]
    result = await effect.request(action(), "k")
    assert isinstance(result, dict)
    assert result["headers"] == {"content-type": "application/json", "etag": "1"}


FAILURES: list[tuple[Answer, type[SegueError]]] = [
    (httpx.Response(500), EffectUnavailableError),
    (httpx.Response(503), EffectUnavailableError),
    (httpx.Response(429), EffectUnavailableError),
    (httpx.Response(408), EffectUnavailableError),
    (httpx.Response(400), ActionFailedError),
    (httpx.Response(404), ActionFailedError),
    (httpx.ReadTimeout("slow"), EffectUnavailableError),
    (httpx.ConnectError("refused"), EffectUnavailableError),
    (httpx.RemoteProtocolError("cut"), EffectUnavailableError),
]


@pytest.mark.parametrize(("answer", "meaning"), FAILURES, ids=lambda value: str(value)[:40])
async def test_a_failure_passes_or_lasts(
    web: Web, effect: HttpEffect, answer: Answer, meaning: type[SegueError]
) -> None:
    web.answers = [answer]
    with pytest.raises(meaning, match=r"api\.example\.com"):
        await effect.request(action(), "k")
    assert len(web.requests) == 1


async def test_an_error_text_holds_no_secrets(web: Web, effect: HttpEffect) -> None:
    web.answers = [httpx.Response(401, text="bad token s3cret-token in Bearer s3cret-token")]
    asked = action(headers={"Authorization": "Bearer s3cret-token"})
    with pytest.raises(ActionFailedError, match="bad token") as caught:
        await effect.request(asked, "k")
    assert "s3cret" not in str(caught.value)
    assert "hush" not in str(caught.value)


async def test_an_answer_that_is_too_long_fails(web: Web, effect: HttpEffect) -> None:
    web.answers = [httpx.Response(200, content=b"x" * MAX_BODY_BYTES)]
    assert await effect.request(action(), "k")
    web.answers = [httpx.Response(200, content=b"x" * (MAX_BODY_BYTES + 1))]
    with pytest.raises(ActionFailedError, match="was carried out"):
        await effect.request(action(), "k")


@pytest.mark.parametrize(
    "fields", [{"json": {"n": float("nan")}}, {"json": {"text": "half \ud800"}}]
)
async def test_what_json_has_no_form_for_is_not_sent(
    web: Web, effect: HttpEffect, fields: dict[str, Any]
) -> None:
    with pytest.raises(ActionFailedError, match="cannot be sent"):
        await effect.request(action(**fields), "k")
    assert not web.requests


async def test_a_header_may_hold_any_letter(web: Web, effect: HttpEffect) -> None:
    await effect.request(action(headers={"X-Name": "Zürich"}), "k")
    assert dict(web.requests[0].headers.raw)[b"X-Name"] == "Zürich".encode()


async def test_what_http_has_no_form_for_is_not_tried_again(web: Web, effect: HttpEffect) -> None:
    web.answers = [httpx.LocalProtocolError("Illegal header value")]
    with pytest.raises(ActionFailedError, match="cannot be sent"):
        await effect.request(action(), "k")


def moved(to: str, status: int = 307) -> httpx.Response:
    return httpx.Response(status, headers={"location": to})


async def test_a_redirect_on_the_same_host_is_followed(web: Web, effect: HttpEffect) -> None:
    web.answers = [moved("/v2/tickets"), moved("https://api.example.com/v3", 308)]
    await effect.request(action(json={"a": 1}), "k")
    assert [sent.url.path for sent in web.requests] == ["/v1/tickets", "/v2/tickets", "/v3"]
    assert [sent.method for sent in web.requests] == ["POST"] * 3
    assert json.loads(web.requests[-1].content) == {"a": 1}


async def test_a_read_follows_any_redirect_on_its_host(web: Web, effect: HttpEffect) -> None:
    web.answers = [moved("/v2", 302)]
    await effect.request(action(method="GET"), "k")
    assert [sent.method for sent in web.requests] == ["GET", "GET"]


@pytest.mark.parametrize(
    "answer",
    [
        moved("https://evil.example.org/"),
        moved("http://169.254.169.254/"),
        moved("http://api.example.com/"),
        moved("file:///etc/passwd"),
        moved("/v2", 302),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.headers['location']}",
)
async def test_a_redirect_elsewhere_fails(
    web: Web, effect: HttpEffect, answer: httpx.Response
) -> None:
    web.answers = [answer]
    with pytest.raises(ActionFailedError):
        await effect.request(action(), "k")
    assert len(web.requests) == 1


async def test_redirects_end(web: Web, effect: HttpEffect) -> None:
    web.answers = [moved("/again") for _ in range(10)]
    with pytest.raises(ActionFailedError, match="more than 3"):
        await effect.request(action(), "k")


async def test_the_next_address_is_tried_where_nothing_was_sent(
    web: Web, effect: HttpEffect
) -> None:
    web.names["api.example.com"] = ["2001:db8::1", "203.0.113.7"]
    web.answers = [httpx.ConnectError("unreachable")]
    await effect.request(action(), "k")
    assert [sent.url.host for sent in web.requests] == ["2001:db8::1", "203.0.113.7"]


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::100.100.100.200",
    ],
)
def test_link_local_and_metadata_addresses_are_out_of_bounds(address: str) -> None:
    assert http_targets.is_forbidden(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.8", "8.8.8.8", "::1", "64:ff9b::808:808"])
def test_other_addresses_may_be_called(address: str) -> None:
    assert not http_targets.is_forbidden(address)


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "metadata.google.internal", "METADATA.google.internal.", "[fd00:ec2::254]"],
)
async def test_a_metadata_host_is_refused(host: str) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ActionFailedError, match="metadata"):
            await HttpEffect(client).request(action(f"http://{host}/computeMetadata/v1/"), "k")


async def test_a_name_that_leads_to_a_metadata_address_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve_to(monkeypatch, lambda: [("203.0.113.7", 80), ("169.254.169.254", 80)])
    with pytest.raises(ActionFailedError, match="innocent"):
        await http_targets.addresses_of("innocent.example", 80)


async def test_a_name_that_does_not_resolve_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails() -> list[Any]:
        raise OSError("no such name")

    resolve_to(monkeypatch, fails)
    with pytest.raises(EffectUnavailableError, match="unknown"):
        await http_targets.addresses_of("unknown.example", 80)


def resolve_to(monkeypatch: pytest.MonkeyPatch, found: Callable[[], list[Any]]) -> None:
    class Loop:
        async def getaddrinfo(self, *_: Any, **__: Any) -> list[Any]:
            return [(0, 0, 0, "", address) for address in found()]

    monkeypatch.setattr(http_targets.asyncio, "get_running_loop", Loop)
