"""The page behind a signed link: who may decide, what is shown, and what is sent on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.ingest.handler import handle
from shared.delivery.deps import Deps
from shared.delivery.requests import Request, Response
from shared.domain.commands import Signal, command_of
from shared.domain.events import from_message
from shared.domain.links import ApprovalLink, read, sign
from shared.domain.webhooks import Gate
from shared.prompting.library import Library
from shared.runtime.stage_table import read_stages
from shared.testing.pipeline import World

NEW, OLD = "a-new-secret-of-ours", "an-old-secret-of-ours"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LINK = ApprovalLink("support-reply-0a1b", "approve", "ada@example.com", NOW + timedelta(days=7))


@pytest.fixture
def world() -> World:
    return World(Library({}, {}, ()))


@pytest.fixture
def deps(world: World) -> Deps:
    ingest = world.deps(read_stages().stages["ingest"], lambda: "token")
    return replace(ingest, gate=Gate(link_secrets=(NEW, OLD)))


async def asked(deps: Deps, token: str, body: bytes | None = None) -> Response:
    method = "GET" if body is None else "POST"
    return await handle(Request(method, f"/approvals/{token}", {}, body or b""), deps)


def sent(world: World) -> list[Signal]:
    found = []
    for topic, _, message in world.messages.published:
        assert topic == "events"
        at = world.clock.now()
        event = from_message(message.attributes, message.data, message_id="", published_at=at)
        command = command_of(event)
        assert isinstance(command, Signal)
        found.append(command)
    return found


# -- tokens -------------------------------------------------------------------------------------


def test_a_token_says_what_was_signed() -> None:
    assert read(sign(LINK, NEW), (OLD, NEW)) == LINK
    named = replace(LINK, by="Zoë <zoe@example.com>")
    assert read(sign(named, NEW), (NEW,)) == named


def test_a_token_fits_into_an_address_as_it_is() -> None:
    assert set(sign(LINK, NEW)) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
    )


def test_a_token_that_was_changed_anywhere_is_none() -> None:
    token = sign(LINK, NEW)
    for at, letter in enumerate(token):
        other = "A" if letter != "A" else "B"
        assert read(token[:at] + other + token[at + 1 :], (NEW,)) is None
    for broken in ("", ".", "x.y", token + "A", token[:-1], f"{token}.{token}", "é.é", "a" * 9000):
        assert read(broken, (NEW,)) is None
    assert read(token, (OLD,)) is None
    assert read(token, ()) is None


# -- the page -----------------------------------------------------------------------------------


async def test_opening_a_link_shows_what_it_is_for_and_changes_nothing(
    deps: Deps, world: World
) -> None:
    for _ in range(2):
        answer = await asked(deps, sign(LINK, NEW))
        assert answer.status == 200
        shown = str(answer.page)
        for text in ("approve", LINK.run, LINK.by, "2026-01-08 00:00 UTC"):
            assert text in shown
    assert world.messages.published == []
    assert answer.page is not None
    assert "default-src 'none'" in answer.page.headers["content-security-policy"]
    assert "http" not in shown


async def test_what_is_shown_is_escaped(deps: Deps) -> None:
    evil = replace(LINK, by="<script>alert('x')</script>", step='"><img src=x>')
    shown = str((await asked(deps, sign(evil, NEW))).page)
    assert "<script" not in shown
    assert "<img" not in shown


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"decision=approve&comment=", {"approved": True, "comment": None}),
        (b"decision=reject&comment=not+yet%21", {"approved": False, "comment": "not yet!"}),
        (b"decision=approve", {"approved": True, "comment": None}),
    ],
)
async def test_a_button_sends_the_decision_of_whom_the_link_names(
    deps: Deps, world: World, body: bytes, data: dict[str, object]
) -> None:
    token = sign(LINK, OLD)
    assert [(await asked(deps, token, body)).status for _ in range(2)] == [202, 202]
    first, again = sent(world)
    assert first == again == Signal(run=LINK.run, name=LINK.step, by=LINK.by, data=data)
    ids = {message.attributes["ce-id"] for _, _, message in world.messages.published}
    assert len(ids) == 1


@pytest.mark.parametrize(
    "body", [b"", b"decision=maybe", b"\xff", b'{"decision": "approve"}', b"a=1&" * 99]
)
async def test_a_form_that_decides_nothing_sends_nothing(
    deps: Deps, world: World, body: bytes
) -> None:
    token = sign(LINK, NEW)
    answer = await handle(Request("POST", f"/approvals/{token}", {}, body), deps)
    assert (answer.status, world.messages.published) == (400, [])


@pytest.mark.parametrize("body", [None, b"decision=approve"])
async def test_a_link_that_is_not_signed_or_too_old_sends_nothing(
    deps: Deps, world: World, body: bytes | None
) -> None:
    other = await asked(deps, sign(LINK, "somebody else's secret"), body)
    world.clock.advance(timedelta(days=8))
    old = await asked(deps, sign(LINK, NEW), body)
    unset = await asked(replace(deps, gate=Gate()), sign(LINK, NEW), body)
    assert [answer.status for answer in (other, old, unset)] == [404, 410, 404]
    assert world.messages.published == []


async def test_no_line_tells_a_token(deps: Deps, world: World) -> None:
    token = sign(LINK, NEW)
    await asked(deps, token)
    await asked(deps, token, b"decision=approve")
    told = json.dumps([repr(report) for report in world.telemetry.reports])
    assert len(world.telemetry.reports) == 2
    assert token not in told
    assert token.partition(".")[2] not in told
