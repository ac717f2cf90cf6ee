"""`segue publish`: the data it takes, and the message any client could have sent."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.cli.sending import DataInvalidError, Draft, EventRefusedError, read_data, send
from shared.delivery.deps import Deps
from shared.domain import ids
from shared.domain.events import MAX_DATA_BYTES, from_message
from shared.errors import UsageError
from shared.testing.pipeline import World


def test_data_is_json_a_file_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(b'{"from": "file"}')
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'{"from": "pipe"}')))
    assert read_data('{"from": "argument"}') == b'{"from": "argument"}'
    assert read_data(f"@{path}") == b'{"from": "file"}'
    assert read_data("-") == b'{"from": "pipe"}'
    assert read_data("") == b""


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("{", "not JSON"),
        ("hello", "not JSON"),
        ("@/no/such/file", "/no/such/file: No such file"),
        ("@", "No such file|Is a directory"),
    ],
)
def test_what_is_no_data_is_told(given: str, complaint: str) -> None:
    with pytest.raises(DataInvalidError, match=complaint):
        read_data(given)


async def test_the_message_is_what_any_client_would_send(deps: Deps, world: World) -> None:
    draft = Draft("order.paid", b"[1]", source="//shop", id="42", key="k", correlation_id="c")
    event = await send(draft, deps)
    [(topic, message_id, message)] = world.messages.published
    assert topic == "events"
    assert dict(message.attributes) == {
        "ce-specversion": "1.0",
        "ce-type": "order.paid",
        "ce-id": "42",
        "ce-source": "//shop",
        "ce-partitionkey": "k",
        "correlationid": "c",
        "content-type": "application/json",
    }
    routed = from_message(
        message.attributes, message.data, message_id=message_id, published_at=deps.clock.now()
    )
    assert event == routed


async def test_without_an_id_every_event_is_its_own(deps: Deps) -> None:
    one, other = await send(Draft("t", b""), deps), await send(Draft("t", b""), deps)
    assert one.id != other.id
    assert one.correlation_id == ids.correlation_id(one.key)


async def test_the_same_id_is_the_same_event(deps: Deps) -> None:
    draft = Draft("t", b"", id="1")
    assert (await send(draft, deps)).key == (await send(draft, deps)).key


@pytest.mark.parametrize(
    ("draft", "told"),
    [
        (Draft("bad type*", b""), "attribute `type`"),
        (Draft("t", b"NaN"), "not JSON"),
        (Draft("", b""), "no type"),
        (Draft("t", b'"' + b"x" * MAX_DATA_BYTES + b'"'), "the limit is"),
    ],
)
async def test_what_route_would_refuse_is_bad_usage_and_not_sent(
    deps: Deps, world: World, draft: Draft, told: str
) -> None:
    with pytest.raises(EventRefusedError, match=told) as caught:
        await send(draft, deps)
    assert isinstance(caught.value, UsageError)
    assert world.messages.published == []
