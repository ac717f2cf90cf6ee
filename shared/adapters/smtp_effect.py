"""Sends e-mail over SMTP: with TLS wherever the server offers it, and no password without TLS.

Decides which of the server's refusals pass. A repeat has the same Message-ID.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

import aiosmtplib

from shared.domain.actions import EmailSend
from shared.domain.model import Json
from shared.errors import ActionFailedError, EffectUnavailableError, SegueError

_SECONDS = 30.0
_PERMANENT = 500
_URL = "set SEGUE_SMTP_URL to smtp[s]://user:password@host:port"


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over. `tls` from the first byte, else see `starttls`."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None

    @property
    def starttls(self) -> bool | None:
        """Whether TLS must follow the greeting: True it must, None when offered, False never.

        A login needs it, or whoever sits in between could take the offer away and read the
        password. To the machine itself nobody sits in between.
        """
        if self.tls:
            return False
        return True if self.username is not None and not _is_loopback(self.host) else None


class SmtpEffect:
    """Carries out `email.send`. `url` is `smtp[s]://user:password@host:port`."""

    def __init__(
        self,
        url: str | None,
        sender: str | None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = url
        self._sender = sender
        self._now = now

    async def send(self, action: EmailSend, key: str) -> Json:
        """The Message-ID, and the addresses that the server refused while it took others."""
        if not self._url:
            raise ActionFailedError(f"email.send needs a mail server: {_URL}")
        if not self._sender:
            raise ActionFailedError("email.send needs a sender's address: set SEGUE_EMAIL_FROM")
        server = server_of(self._url)
        try:
            message = self._message(action, self._sender, key)
            async with asyncio.timeout(_SECONDS):
                refused = await _hand_over(message, list(action.to), server)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _meaning(error, server) from error
        except ValueError as error:
            raise ActionFailedError(f"the mail cannot be written: {error}") from error
        return {"message_id": message["Message-ID"], "refused": [*refused]}

    def _message(self, action: EmailSend, sender: str, key: str) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = sender
        message["To"] = ", ".join(action.to)
        message["Subject"] = action.subject
        message["Date"] = self._now()
        message["Message-ID"] = f"<{re.sub(r'[^A-Za-z0-9._-]', '-', key)}@segue>"
        if action.reply_to is not None:
            message["Reply-To"] = action.reply_to
        message.set_content(action.text)
        return message


async def _hand_over(message: EmailMessage, to: list[str], server: MailServer) -> list[str]:
    """The addresses that were refused while others were taken."""
    refused, _ = await aiosmtplib.send(
        message,
        recipients=to,
        hostname=server.host,
        port=server.port,
        username=server.username,
        password=server.password,
        use_tls=server.tls,
        start_tls=server.starttls,
        timeout=_SECONDS,
    )
    return sorted(refused)


def server_of(url: str) -> MailServer:
    """Reads the URL. Raises ActionFailedError, without a word of what the URL holds."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or port == -1:
        raise ActionFailedError(f"the mail server's URL cannot be read: {_URL}")
    tls = parts.scheme == "smtps"
    return MailServer(
        host=parts.hostname,
        port=port or (465 if tls else 587),
        tls=tls,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _meaning(error: Exception, server: MailServer) -> SegueError:
    where = f"{server.host}:{server.port}"
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            codes = [refusal.code for refusal in error.recipients]
            said = "; ".join(
                f"{one.recipient}: {one.code} {one.message}" for one in error.recipients
            )
        case aiosmtplib.SMTPResponseException():
            codes, said = [error.code], f"{error.code} {error.message}"
        case aiosmtplib.SMTPNotSupported():
            return ActionFailedError(f"{where} lacks what this mail needs: {error}")
        case aiosmtplib.SMTPException() if "STARTTLS extension not supported" in error.message:
            return ActionFailedError(f"{where} offers no STARTTLS, and a login needs TLS: {_URL}")
        case _:
            return EffectUnavailableError(f"{where}: {type(error).__name__}")
    if codes and min(codes) >= _PERMANENT:
        return ActionFailedError(f"{where} refused the mail: {said}"[:500])
    return EffectUnavailableError(f"{where} put the mail off: {said}"[:500])
