"""Which endpoints are pushed to over the kept connections, and what goes over them; no socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from emulator import upstream
from emulator.embedded.pubsub.rpc.push import HttpPusher, is_plain
from emulator.embedded.pubsub.rpc.push_request import PushRequest


class Writer:
    """The writing half of a connection to nowhere."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None: ...

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def answering(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> list[tuple[Any, ...]]:
    """Connections on which the answer is already there; returns (host, port, writer) of each."""
    made: list[tuple[Any, ...]] = []

    async def connect(host: str, port: int) -> tuple[asyncio.StreamReader, Writer]:
        reader, writer = asyncio.StreamReader(), Writer()
        reader.feed_data(answer)
        made.append((host, port, writer))
        return reader, writer

    monkeypatch.setattr(asyncio, "open_connection", connect)
    return made


def request(url: str) -> PushRequest:
    return PushRequest(url, {b"a": b"1"}, b"body", 5.0)


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://127.0.0.1:1/x", True),
        ("http://[::1]:8080/x?y", True),
        ("http://host", True),
        ("https://host/x", False),
        ("http://user:word@host/x", False),
        ("http://höst/x", False),
        ("http://host/\r\nx: y", False),
        ("http://host:99999/", False),
        ("http://host:0/", False),
        ("http://host/a b", False),
        ("http:///x", False),
        ("http://[::1/x", False),
        ("nonsense", False),
    ],
)
def test_only_usual_urls_without_tls_are_plain(url: str, *, plain: bool) -> None:
    assert is_plain(url) is plain


async def test_a_push_is_posted_with_its_headers_path_and_query(monkeypatch: pytest.MonkeyPatch):
    made = answering(monkeypatch, b"HTTP/1.1 204 No Content\r\n\r\n")
    assert await HttpPusher()(request("http://[::1]:8080/p?t=a%20b"))
    [(host, port, writer)] = made
    assert (host, port) == ("::1", 8080)
    head, _, body = writer.written.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /p?t=a%20b HTTP/1.1\r\n")
    assert {b"host: [::1]:8080", b"a: 1", b"content-length: 4"} <= {
        line.lower() for line in head.split(b"\r\n")
    }
    assert body == b"body"


async def test_connections_that_nobody_needs_any_more_are_closed(monkeypatch: pytest.MonkeyPatch):
    made = answering(monkeypatch, b"HTTP/1.1 204 No Content\r\n\r\n")
    pusher = HttpPusher()
    await pusher(request("http://gone/"))
    await pusher(request("http://here/"))
    assert [writer.closed for _, _, writer in made] == [False, False]
    monkeypatch.setattr(upstream, "_IDLE", 0.0)
    await pusher(request("http://there/"))
    assert [writer.closed for _, _, writer in made] == [True, True, False]


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", b"SMTP ready\r\n\r\n"],
    ids=["refused", "no HTTP"],
)
async def test_any_other_answer_is_a_negative_acknowledgement(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
):
    answering(monkeypatch, answer)
    assert not await HttpPusher()(request("http://here/"))
