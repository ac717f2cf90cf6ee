"""Serves an ASGI application with uvicorn inside the running loop, on 127.0.0.1.

Adds one thing that ASGI lacks: `abort(scope)`, which closes the connection without an answer.
Must not know which application it serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from starlette.types import ASGIApp, Receive, Scope, Send

_HOST = "127.0.0.1"
_ABORT = "segue.abort"


def listening_socket(port: int = 0) -> socket.socket:
    """Bind 127.0.0.1:port (0 = any free port)."""
    # The protocol is named because asyncio sets TCP_NODELAY only where it sees it; without that,
    # each answer of two writes waits 40 ms for an acknowledgement.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((_HOST, port))
    except OSError as error:
        sock.close()
        message = f"{_HOST}:{port} cannot be used ({error.strerror}): free it or choose another"
        raise OSError(error.errno, message) from error
    return sock


def free_port() -> int:
    """Name a port that is free now, for a process that cannot choose one itself."""
    with listening_socket() as sock:
        return int(sock.getsockname()[1])


def abort(scope: MutableMapping[str, Any]) -> None:
    """Close the connection of a request served by `serve` without answering it."""
    scope["extensions"][_ABORT]()


class _Abortable:
    # Uvicorn hands over no transport, but its `send` is a method of the object that owns one;
    # frameworks wrap `send`, so it is looked up here, outside of them.
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cycle = getattr(send, "__self__", None)
        if scope["type"] == "http" and cycle is not None:
            scope.setdefault("extensions", {})[_ABORT] = cycle.transport.abort
        await self._app(scope, receive, send)


class _QuietServer(uvicorn.Server):
    # Signals belong to the process that embeds this server.
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Served:
    """A served application."""

    def __init__(self, server: uvicorn.Server, task: asyncio.Task[None], port: int) -> None:
        self.port = port
        self.url = f"http://{_HOST}:{port}"
        self._server = server
        self._task = task

    async def stop(self) -> None:
        """Stop accepting, give open requests a second, close. Safe to call twice."""
        self._server.should_exit = True
        await self._task


async def serve(app: ASGIApp, port: int = 0) -> Served:
    """Serve `app` on 127.0.0.1:port and return once it accepts connections."""
    sock = listening_socket(port)
    config = uvicorn.Config(
        _Abortable(app),
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:
        if task.done():
            sock.close()
            await task
            message = f"the application on port {port} failed to start: see the error logged above"
            raise RuntimeError(message)
        await asyncio.sleep(0.005)
    return Served(server, task, int(sock.getsockname()[1]))
