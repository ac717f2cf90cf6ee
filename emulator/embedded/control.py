"""The control port: plain HTTP, `GET /` says that the engine is up, `POST /reset` empties it.

One request a connection, read by hand: an HTTP library would cost a tenth of the start-up time.
Must not know what a reset does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from emulator.embedded.server import PortTakenError

_LARGEST_HEAD = 16 * 1024
_PATIENCE = 10.0
_log = logging.getLogger(__name__)


class Control:
    """`reset` is awaited for each `POST /reset`; the answer comes when it is done."""

    def __init__(self, reset: Callable[[], Awaitable[None]]) -> None:
        self._reset = reset
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; a port of 0 is any free one. Returns the port; raises PortTakenError."""
        try:
            self._server = await asyncio.start_server(
                self._connected, host, port, limit=_LARGEST_HEAD
            )
        except OSError as error:
            raise PortTakenError(
                f"{host}:{port} cannot be used ({error.strerror}): free it or choose another"
            ) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                line = await _request_line(reader)
                writer.write(_response(*await self.answer(line)))
                await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError):  # gone, late, or not HTTP
            pass
        finally:
            writer.close()

    async def answer(self, request_line: str) -> tuple[HTTPStatus, str]:
        """Status and text for a request line such as `GET / HTTP/1.1`; never raises."""
        match request_line.split():
            case [("GET" | "HEAD"), "/", _]:
                return HTTPStatus.OK, "Ok\n"
            case ["POST", "/reset", _]:
                return await self._emptied()
            case [_, ("/" | "/reset"), _]:
                return HTTPStatus.METHOD_NOT_ALLOWED, "GET / or POST /reset\n"
            case [_, _, _]:
                return HTTPStatus.NOT_FOUND, "GET / or POST /reset\n"
        return HTTPStatus.BAD_REQUEST, "this is not HTTP\n"

    async def _emptied(self) -> tuple[HTTPStatus, str]:
        try:
            await self._reset()
        except Exception as error:  # noqa: BLE001 - the port stays up
            _log.error("the reset failed", exc_info=error)
            return HTTPStatus.INTERNAL_SERVER_ERROR, f"the reset failed: {error!r}\n"
        return HTTPStatus.OK, "Reset\n"


async def _request_line(reader: asyncio.StreamReader) -> str:
    head = await reader.readuntil(b"\r\n\r\n")
    line, *headers = head.decode("latin-1").split("\r\n")
    for header in headers:
        name, _, text = header.partition(":")
        if name.strip().lower() == "content-length" and text.strip().isdigit():
            # Left unread, it would make the close a reset that overtakes the answer.
            await reader.read(min(int(text), _LARGEST_HEAD))
    return line


def _response(status: HTTPStatus, text: str) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(text.encode())}",
        "Connection: close",
    )
    return "\r\n".join((*head, "", text)).encode()
