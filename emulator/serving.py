"""Serves an ASGI application with uvicorn inside the running loop, on 127.0.0.1.

Adds one thing that ASGI lacks: `abort(scope)`, which closes the connection without an answer.
Must not know which application it serves.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import uvicorn

from emulator.ports import HOST, free_port, listening_socket

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Served", "abort", "free_port", "listening_socket", "serve"]
_ABORT = "segue.abort"


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
        self.url = f"http://{HOST}:{port}"
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
