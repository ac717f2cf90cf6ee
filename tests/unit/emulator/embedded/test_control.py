"""The control port answers any request with a status, and empties the engine when it is told to."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from emulator.embedded.control import Control


async def never() -> None:
    raise AssertionError("nobody asked for a reset")


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "HEAD / HTTP/1.0"])
async def test_it_says_that_the_engine_is_up(line: str) -> None:
    assert await Control(never).answer(line) == (HTTPStatus.OK, "Ok\n")


async def test_a_reset_is_answered_when_it_is_done() -> None:
    done: list[str] = []

    async def reset() -> None:
        done.append("reset")

    status, _ = await Control(reset).answer("POST /reset HTTP/1.1")
    assert (status, done) == (HTTPStatus.OK, ["reset"])


async def test_a_reset_that_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    status, text = await Control(never).answer("POST /reset HTTP/1.1")
    assert status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert "nobody asked" in text
    assert "nobody asked" in caplog.text


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("POST / HTTP/1.1", HTTPStatus.METHOD_NOT_ALLOWED),
        ("GET /reset HTTP/1.1", HTTPStatus.METHOD_NOT_ALLOWED),
        ("GET /elsewhere HTTP/1.1", HTTPStatus.NOT_FOUND),
        ("PRI * HTTP/2.0", HTTPStatus.NOT_FOUND),
        ("", HTTPStatus.BAD_REQUEST),
        ("\x16\x03\x01", HTTPStatus.BAD_REQUEST),
    ],
)
async def test_anything_else_is_refused(line: str, status: HTTPStatus) -> None:
    assert (await Control(never).answer(line))[0] == status
