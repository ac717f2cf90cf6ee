"""Mail, Slack messages and HTTP calls end in the outbox, duplicates marked and kept."""

from __future__ import annotations

import json
from email.message import EmailMessage
from typing import TYPE_CHECKING

import aiosmtplib
import httpx
import pytest_asyncio

from emulator.outbox import Item, Outbox
from emulator.sink import Sink, start_sink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Bench:
    """A running sink, a client for its HTTP side, and what its callback saw."""

    def __init__(self, sink: Sink, client: httpx.AsyncClient, seen: list[Item]) -> None:
        self.sink = sink
        self.client = client
        self.seen = seen

    async def mail(self, message: EmailMessage) -> None:
        await aiosmtplib.send(message, hostname=self.sink.smtp_host, port=self.sink.smtp_port)

    async def outbox(self) -> list[Item]:
        items: list[Item] = (await self.client.get("/outbox")).json()
        return items


@pytest_asyncio.fixture(loop_scope="session")
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    seen: list[Item] = []
    sink = await start_sink(tmp_path / "outbox", on_item=seen.append)
    async with httpx.AsyncClient(base_url=sink.url, trust_env=False) as client:
        yield Bench(sink, client, seen)
    await sink.stop()


def letter(message_id: str = "<1@segue>") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "support@example.com"
    message["To"] = "ada@example.com"
    message["Subject"] = "Über die Rechnung"
    message["Message-ID"] = message_id
    message.set_content("Dear Ada,\n\nyour refund — 12 € — is on its way.\n")
    message.add_alternative("<p>Dear Ada</p>", subtype="html")
    return message


async def test_a_mail_is_kept_with_what_matters(bench: Bench) -> None:
    await bench.mail(letter())
    (item,) = await bench.outbox()
    assert (item["kind"], item["key"]) == ("mail", "<1@segue>")
    assert (item["sender"], item["to"]) == ("support@example.com", ["ada@example.com"])
    assert item["subject"] == "Über die Rechnung"
    assert item["text"] == "Dear Ada,\n\nyour refund — 12 € — is on its way.\n"
    assert item["headers"]["Message-ID"] == "<1@segue>"
    assert item["duplicate_of"] is None
    assert bench.seen == [item]


async def test_the_same_message_id_twice_is_kept_twice_and_marked(bench: Bench) -> None:
    for message_id in ("<1@segue>", "<2@segue>", "<1@segue>"):
        await bench.mail(letter(message_id))
    first, other, again = await bench.outbox()
    assert (first["duplicate_of"], other["duplicate_of"]) == (None, None)
    assert again["duplicate_of"] == first["id"]


async def test_slack_is_answered_as_slack_answers(bench: Bench) -> None:
    said = {"channel": "#support", "text": "A new ticket"}
    answer = await bench.client.post(
        "/api/chat.postMessage", json=said, headers={"Idempotency-Key": "k1"}
    )
    body = answer.json()
    assert (body["ok"], body["channel"], body["message"]["text"]) == (
        True,
        "#support",
        "A new ticket",
    )
    form = await bench.client.post("/api/chat.postMessage", data={"channel": "C1", "text": "hi"})
    assert form.json()["ts"] > body["ts"]
    items = await bench.outbox()
    assert [(item["channel"], item["key"]) for item in items] == [("#support", "k1"), ("C1", None)]


async def test_slack_refuses_what_slack_refuses(bench: Bench) -> None:
    answer = await bench.client.post("/api/chat.postMessage", json={"text": "to nobody"})
    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": "channel_not_found"})
    answer = await bench.client.post("/api/chat.postMessage", json={"channel": "C1"})
    assert answer.json() == {"ok": False, "error": "no_text"}
    assert await bench.outbox() == []


async def test_any_http_call_is_kept_and_answered(bench: Bench) -> None:
    answer = await bench.client.put(
        "/http/crm/tickets/7?dry=1", json={"a": 1}, headers={"X-Team": "red"}
    )
    assert answer.json() == {
        "ok": True,
        "id": "000001-http",
        "method": "PUT",
        "path": "/crm/tickets/7",
    }
    await bench.client.post("/http/text", content=b"plain")
    first, second = await bench.outbox()
    assert (first["query"], first["body"], first["headers"]["x-team"]) == ("dry=1", {"a": 1}, "red")
    assert second["body"] == "plain"


async def test_the_outbox_survives_a_restart_and_can_be_emptied(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.mail(letter())
    reopened = Outbox(tmp_path / "outbox")
    assert reopened.items() == await bench.outbox()
    assert reopened.record("mail", "<1@segue>")["duplicate_of"] == "000001-mail"
    files = sorted(path.name for path in (tmp_path / "outbox").iterdir())
    assert files == ["000001-mail.json", "000002-mail.json"]
    assert json.loads((tmp_path / "outbox" / files[0]).read_text())["kind"] == "mail"
    assert (await bench.client.delete("/outbox")).json() == {"deleted": 1}
    assert await bench.outbox() == []
