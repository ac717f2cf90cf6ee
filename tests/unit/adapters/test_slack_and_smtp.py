"""What Slack's refusals mean, and how a mail server's address is read."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from shared.adapters.slack_effect import SlackEffect
from shared.adapters.smtp_effect import MailServer, server_of
from shared.domain.actions import SlackPost
from shared.errors import ActionFailedError, EffectUnavailableError, SegueError

POST = SlackPost(channel="C1", text="Hello")


async def post(answer: httpx.Response | Exception) -> Any:
    def handle(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        return await SlackEffect(client, "xoxb-hush").post(POST, "key")


@pytest.mark.parametrize(
    ("answer", "meaning", "said"),
    [
        (httpx.Response(429), EffectUnavailableError, "429"),
        (httpx.Response(503, text="<html>"), EffectUnavailableError, "503"),
        (httpx.ConnectTimeout("slow"), EffectUnavailableError, "ConnectTimeout"),
        (
            httpx.Response(200, json={"ok": False, "error": "ratelimited"}),
            EffectUnavailableError,
            "ratelimited",
        ),
        (
            httpx.Response(200, json={"ok": False, "error": "not_in_channel"}),
            ActionFailedError,
            "not_in_channel",
        ),
        (
            httpx.Response(
                200, json={"ok": False, "error": "missing_scope", "needed": "chat:write"}
            ),
            ActionFailedError,
            "chat:write",
        ),
        (httpx.Response(404, text="<html>"), ActionFailedError, "SEGUE_SLACK_BASE_URL"),
        (httpx.Response(200, json=["ok"]), ActionFailedError, "without JSON"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_slacks_refusal_passes_or_lasts(
    answer: httpx.Response | Exception, meaning: type[SegueError], said: str
) -> None:
    with pytest.raises(meaning, match=said) as caught:
        await post(answer)
    assert "hush" not in str(caught.value)


async def test_slacks_answer_tells_where_the_message_is() -> None:
    answer = httpx.Response(200, json={"ok": True, "channel": "C1", "ts": "1.2", "more": "…"})
    assert await post(answer) == {"channel": "C1", "ts": "1.2"}


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", MailServer("mail.example", 587, False, None, None)),
        ("smtps://mail.example", MailServer("mail.example", 465, True, None, None)),
        ("smtp://u%40x:p%3Aw@mail:25", MailServer("mail", 25, False, "u@x", "p:w")),
    ],
)
def test_a_mail_url_is_read(url: str, server: MailServer) -> None:
    assert server_of(url) == server


@pytest.mark.parametrize("url", ["hush", "http://u:hush@mail", "smtp://", "smtp://u:hush@m:port"])
def test_a_mail_url_that_cannot_be_read_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ActionFailedError, match="SEGUE_SMTP_URL") as caught:
        server_of(url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "starttls"),
    [
        ("smtps://u:p@mail.example", False),
        ("smtp://mail.example", None),
        ("smtp://u:p@mail.example", True),
        ("smtp://u:p@10.0.0.8", True),
        ("smtp://u:p@localhost.example", True),
        ("smtp://u:p@127.0.0.5", None),
        ("smtp://u:p@[::1]", None),
        ("smtp://u:p@LOCALHOST", None),
    ],
)
def test_a_login_elsewhere_requires_tls(url: str, *, starttls: bool | None) -> None:
    assert server_of(url).starttls is starttls


async def test_half_a_character_cannot_be_posted() -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ActionFailedError, match="cannot be sent"):
            await SlackEffect(client, "t").post(
                POST.model_copy(update={"text": "half \ud800"}), "key"
            )
