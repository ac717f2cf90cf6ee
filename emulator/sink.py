"""Where mail, Slack messages and HTTP calls go locally: an SMTP server and an HTTP application.

Decides what each of them answers and which header is the key of an item. Sends nothing on.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import itertools
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiosmtpd.smtp import SMTP
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from emulator.outbox import Outbox
from emulator.serving import Served, listening_socket, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from email.message import EmailMessage
    from pathlib import Path

    from aiosmtpd.smtp import Envelope, Session
    from starlette.requests import Request

    from emulator.outbox import OnItem

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_LARGEST_MAIL = 32 * 1024 * 1024


class _MailHandler:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def handle_DATA(  # noqa: N802 - the name aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content or b""
        message = email.message_from_bytes(content, policy=email.policy.default)
        item = self._outbox.record(
            "mail",
            message.get("Message-ID"),
            sender=envelope.mail_from,
            to=list(envelope.rcpt_tos),
            subject=str(message.get("Subject", "")),
            text=_mail_text(message),
            headers=_joined((name, str(value)) for name, value in message.items()),
        )
        return f"250 OK: kept as {item['id']}"


def _mail_text(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n")


def build_app(outbox: Outbox) -> Starlette:
    """Build the HTTP side of the sink over an outbox."""
    http = _Http(outbox)
    return Starlette(
        routes=[
            Route("/api/chat.postMessage", http.post_message, methods=["POST"]),
            Route("/http/{anything:path}", http.receive, methods=_METHODS),
            Route("/outbox", http.listed, methods=["GET"]),
            Route("/outbox", http.cleared, methods=["DELETE"]),
        ]
    )


class _Http:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._stamps = itertools.count(1)

    async def post_message(self, request: Request) -> JSONResponse:
        said = _fields(await request.body(), request.headers.get("content-type", ""))
        if refusal := _slack_refusal(said):
            return JSONResponse({"ok": False, "error": refusal})
        channel, text = said["channel"], said.get("text", "")
        stamp = f"{int(time.time())}.{next(self._stamps):06d}"
        self._outbox.record(
            "slack",
            request.headers.get("idempotency-key") or said.get("client_msg_id"),
            channel=channel,
            text=text,
            body=said,
            ts=stamp,
            headers=_joined(request.headers.items()),
        )
        message = {"type": "message", "text": text, "ts": stamp}
        return JSONResponse({"ok": True, "channel": channel, "ts": stamp, "message": message})

    async def receive(self, request: Request) -> JSONResponse:
        item = self._outbox.record(
            "http",
            request.headers.get("idempotency-key"),
            method=request.method,
            path="/" + request.path_params["anything"],
            query=request.url.query,
            body=_json_or_text(await request.body()),
            headers=_joined(request.headers.items()),
        )
        return JSONResponse({"ok": True, **{key: item[key] for key in ("id", "method", "path")}})

    async def listed(self, _request: Request) -> JSONResponse:
        return JSONResponse(self._outbox.items())

    async def cleared(self, _request: Request) -> JSONResponse:
        return JSONResponse({"deleted": self._outbox.clear()})


def _slack_refusal(said: dict[str, Any]) -> str | None:
    if not said.get("channel"):
        return "channel_not_found"
    return None if any(said.get(key) for key in ("text", "blocks", "attachments")) else "no_text"


def _fields(body: bytes, content_type: str) -> dict[str, Any]:
    # Slack takes both forms.
    if "form-urlencoded" in content_type:
        return dict(parse_qsl(body.decode(errors="replace")))
    said = _json_or_text(body)
    return said if isinstance(said, dict) else {}


def _json_or_text(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


class Sink:
    """A running sink: `.smtp_port`, `.url` (HTTP) and `.outbox`."""

    def __init__(self, outbox: Outbox, smtp: asyncio.Server, served: Served) -> None:
        self.outbox = outbox
        self.smtp_host = "127.0.0.1"
        self.smtp_port = int(smtp.sockets[0].getsockname()[1])
        self.url = served.url
        self._smtp = smtp
        self._served = served

    async def stop(self) -> None:
        """Stop both servers; what was received stays in the outbox directory."""
        self._smtp.close()
        await self._smtp.wait_closed()
        await self._served.stop()


async def start_sink(
    directory: Path,
    *,
    smtp_port: int = 0,
    http_port: int = 0,
    on_item: OnItem | None = None,
) -> Sink:
    """Start the SMTP and the HTTP side on 127.0.0.1 (port 0 = any free port)."""
    outbox = Outbox(directory, on_item)
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(_smtp_factory(outbox), sock=listening_socket(smtp_port))
    try:
        served = await serve(build_app(outbox), http_port)
    except OSError:
        smtp.close()
        raise
    return Sink(outbox, smtp, served)


def _smtp_factory(outbox: Outbox) -> Callable[[], SMTP]:
    handler = _MailHandler(outbox)
    return lambda: SMTP(
        handler, hostname="localhost", data_size_limit=_LARGEST_MAIL, enable_SMTPUTF8=True
    )
