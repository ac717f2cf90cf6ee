"""What every Bus guarantees, held by the double and by Pub/Sub."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.pubsub_v1 import PublisherAsyncClient

from shared.adapters import pubsub_bus
from shared.adapters.pubsub_bus import PubSubBus
from shared.domain.envelope import Message
from shared.errors import BusUnavailableError, EventTooLargeError

if TYPE_CHECKING:
    from tests.contract.conftest import BusCase


async def test_what_is_published_arrives_unchanged(bus_case: BusCase) -> None:
    sent = Message(bytes(range(256)), {"ce-type": "ü.\U0001f680", "segue-redrive": "1"})
    message_ids = await bus_case.bus.publish("stage", [sent])
    assert await bus_case.arrived(1) == [(message_ids[0], sent)]


async def test_ids_are_in_the_order_of_the_messages(bus_case: BusCase) -> None:
    sent = [Message(str(n).encode(), {"n": str(n)}) for n in range(25)]
    message_ids = await bus_case.bus.publish("stage", sent)
    assert len(set(message_ids)) == len(sent)
    arrived = dict(await bus_case.arrived(len(sent)))
    assert [arrived[message_id] for message_id in message_ids] == sent


async def test_more_than_one_request_holds_is_published_all_the_same(bus_case: BusCase) -> None:
    sent = [Message(b"x", {"n": str(n)}) for n in range(1001)]
    message_ids = await bus_case.bus.publish("stage", sent)
    arrived = dict(await bus_case.arrived(len(sent)))
    assert [arrived[message_id] for message_id in message_ids] == sent


async def test_large_messages_are_published_together(bus_case: BusCase) -> None:
    sent = [Message(str(n).encode() * 4_000_000, {"n": str(n)}) for n in range(3)]
    message_ids = await bus_case.bus.publish("stage", sent)
    arrived = dict(await bus_case.arrived(len(sent)))
    assert [arrived[message_id] for message_id in message_ids] == sent


async def test_nothing_is_published_where_one_message_is_too_large(bus_case: BusCase) -> None:
    with pytest.raises(EventTooLargeError):
        await bus_case.bus.publish("stage", [Message(b"small"), Message(b"x" * 10_000_001)])
    [message_id] = await bus_case.bus.publish("stage", [Message(b"later")])
    assert await bus_case.arrived(1) == [(message_id, Message(b"later"))]


async def test_nothing_to_publish_is_no_request(bus_case: BusCase) -> None:
    assert await bus_case.bus.publish("stage", []) == []


async def test_a_missing_topic_is_unavailable(
    pubsub: tuple[PublisherAsyncClient, object],
) -> None:
    with pytest.raises(BusUnavailableError, match="nowhere-stage"):
        await PubSubBus(pubsub[0], "segue-nowhere", "nowhere").publish("stage", [Message(b"x")])


async def test_pubsub_that_is_not_there_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{unused_tcp_port}")
    client = pubsub_bus.build_client()
    with pytest.raises(BusUnavailableError):
        await PubSubBus(client, "p", "segue", patience=0.3).publish("stage", [Message(b"x")])
    await client.transport.close()
