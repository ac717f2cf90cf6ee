"""What a mail server's refusals mean, on a mail server that refuses as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from shared.adapters.smtp_effect import SmtpEffect
from shared.domain.actions import EmailSend
from shared.errors import ActionFailedError, EffectUnavailableError, SegueError

MAIL = EmailSend(to=["a@example.com", "b@example.com"], subject="Hi", text="Hello")


class Post:
    """A mail server that answers as it is told."""

    def __init__(self) -> None:
        self.data = "250 OK"
        self.recipients: dict[str, str] = {}
        self.got: list[bytes] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        answer = self.recipients.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        self.got.append(envelope.original_content or b"")
        return self.data

    def login(self, *arguments: Any) -> AuthResult:
        self.logins.append((arguments[4].login, arguments[4].password))
        return AuthResult(success=arguments[4].password == b"right", handled=False)


Send = Callable[..., Awaitable[Any]]


@pytest_asyncio.fixture(loop_scope="session")
async def office() -> AsyncIterator[tuple[Post, Send]]:
    post = Post()

    def made() -> SMTP:
        return SMTP(post, hostname="localhost", authenticator=post.login, auth_require_tls=False)

    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def send(login: str = "", action: EmailSend = MAIL, host: str = "127.0.0.1") -> Any:
        effect = SmtpEffect(f"smtp://{login}{host}:{port}", "Segue <segue@example.com>")
        return await effect.send(action, "key-1")

    yield post, send
    server.close()
    await server.wait_closed()


async def test_a_mail_has_the_headers_of_a_mail(office: tuple[Post, Send]) -> None:
    post, send = office
    long = "A subject — with a dash " * 5
    await send(action=EmailSend(to=MAIL.to, subject=long, text="x", reply_to="r@example.com"))
    head = post.got[0].decode()
    assert "Message-ID: <key-1@segue>" in head
    assert "Reply-To: r@example.com" in head
    assert "From: Segue <segue@example.com>" in head
    assert "\r\nDate: " in head
    assert max(map(len, head.splitlines())) <= 998


async def test_half_a_character_cannot_be_mailed(office: tuple[Post, Send]) -> None:
    post, send = office
    with pytest.raises(ActionFailedError, match="cannot be written"):
        await send(action=MAIL.model_copy(update={"text": "half \ud800"}))
    assert not post.got


async def test_some_refused_recipients_are_told(office: tuple[Post, Send]) -> None:
    post, send = office
    post.recipients["b@example.com"] = "550 no such user"
    assert await send() == {"message_id": "<key-1@segue>", "refused": ["b@example.com"]}


@pytest.mark.parametrize(
    ("code", "meaning"), [(450, EffectUnavailableError), (550, ActionFailedError)]
)
async def test_refused_recipients_pass_or_last(
    office: tuple[Post, Send], code: int, meaning: type[SegueError]
) -> None:
    post, send = office
    post.recipients = dict.fromkeys(MAIL.to, f"{code} not now")
    with pytest.raises(meaning, match=f"a@example.com: {code}"):
        await send()


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [("451 later", EffectUnavailableError), ("554 rejected", ActionFailedError)],
)
async def test_a_refused_mail_passes_or_lasts(
    office: tuple[Post, Send], answer: str, meaning: type[SegueError]
) -> None:
    post, send = office
    post.data = answer
    with pytest.raises(meaning, match=answer):
        await send()


async def test_a_login_is_used(office: tuple[Post, Send]) -> None:
    post, send = office
    await send(login="user:right@")
    assert post.logins == [(b"user", b"right")]


async def test_no_login_is_told_to_a_server_elsewhere_that_offers_no_tls(
    office: tuple[Post, Send],
) -> None:
    post, send = office
    elsewhere = "0.0.0.0"  # leads here too, without being a loopback address
    with pytest.raises(ActionFailedError, match="a login needs TLS"):
        await send(login="user:right@", host=elsewhere)
    assert not post.logins
    assert not post.got
    await send(host=elsewhere)
    assert post.got


async def test_a_wrong_password_fails_without_being_told(office: tuple[Post, Send]) -> None:
    _, send = office
    with pytest.raises(ActionFailedError, match="535") as caught:
        await send(login="user:hush@")
    assert "hush" not in str(caught.value)
