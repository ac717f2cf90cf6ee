"""Publishing: https://cloud.google.com/pubsub/docs/publisher."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from google.api_core.exceptions import InvalidArgument, NotFound
from google.cloud import pubsub_v1
from google.pubsub_v1 import PublisherAsyncClient, PublisherClient
from google.pubsub_v1.types import PubsubMessage

from emulator.engine import Engine
from shared.client.connection import pointed_at
from tests.conformance.pubsub.conftest import Lanes
from tests.conformance.pubsub.lane import Lane, data


async def test_a_message_arrives_unchanged(lane: Lane) -> None:
    sent = PubsubMessage(data=bytes(range(256)), attributes={"key": "ü\U0001f680", "k": ""})
    before = datetime.now(UTC) - timedelta(seconds=1)
    [message_id] = await lane.publish(sent)
    [found] = await lane.pull(1)
    assert found.message.data == sent.data
    assert dict(found.message.attributes) == dict(sent.attributes)
    assert found.message.message_id == message_id
    assert before <= found.message.publish_time <= datetime.now(UTC) + timedelta(seconds=1)


async def test_the_service_names_and_dates_messages(lane: Lane) -> None:
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    sent = PubsubMessage(data=b"x", message_id="mine", publish_time=long_ago)
    [message_id] = await lane.publish(sent)
    [found] = await lane.pull(1)
    assert message_id == found.message.message_id != "mine"
    assert found.message.publish_time > long_ago


async def test_ids_are_distinct_and_in_the_order_of_the_messages(lane: Lane) -> None:
    sent = [str(number).encode() for number in range(25)]
    ids = await lane.publish(*sent)
    assert len(set(ids)) == len(sent)
    arrived = {each.message.message_id: each.message.data for each in await lane.pull(len(sent))}
    assert [arrived[each] for each in ids] == sent


async def test_attributes_alone_are_a_message(lane: Lane) -> None:
    await lane.publish(PubsubMessage(attributes={"a": "b"}))
    [found] = await lane.pull(1)
    assert (found.message.data, dict(found.message.attributes)) == (b"", {"a": "b"})


@pytest.mark.parametrize(
    "messages",
    [[], [PubsubMessage()], [PubsubMessage(data=b"good"), PubsubMessage()]],
    ids=["no-message", "empty-message", "one-empty-message"],
)
async def test_an_empty_message_is_refused_with_all_beside_it(
    lane: Lane, messages: list[PubsubMessage]
) -> None:
    with pytest.raises(InvalidArgument):
        await lane.publish(*messages)
    await lane.publish(b"later")
    assert data(await lane.pull(1)) == [b"later"]


async def test_an_ordering_key_alone_is_no_message(lane: Lane) -> None:
    with pytest.raises(InvalidArgument):
        await lane.publish(PubsubMessage(ordering_key="key"))


async def test_every_subscription_gets_a_message(lanes: Lanes) -> None:
    first = await lanes()
    second = await lanes(topic=first.topic)
    await first.publish(b"x")
    assert await first.drain(1) == [b"x"]
    assert await second.drain(1) == [b"x"]


async def test_a_subscription_gets_nothing_from_before_it_was_made(lanes: Lanes) -> None:
    first = await lanes()
    await first.publish(b"early")
    second = await lanes(topic=first.topic)
    await first.publish(b"late")
    assert data(await second.pull(1)) == [b"late"]


async def test_nothing_is_published_to_a_missing_topic(
    publisher: PublisherAsyncClient, names: Callable[[str], str]
) -> None:
    with pytest.raises(NotFound):
        await publisher.publish(topic=names("topics"), messages=[PubsubMessage(data=b"x")])


async def test_the_synchronous_client_publishes(
    sync_publisher: PublisherClient, lane: Lane
) -> None:
    answer = sync_publisher.publish(topic=lane.topic, messages=[PubsubMessage(data=b"x")])
    [found] = await lane.pull(1)
    assert [found.message.message_id] == list(answer.message_ids)


async def test_the_batching_client_publishes(engine: Engine, lane: Lane) -> None:
    with pointed_at(engine.environment()):
        client = pubsub_v1.PublisherClient()
    futures = [client.publish(lane.topic, str(n).encode(), kind="batched") for n in range(20)]
    ids = [future.result(timeout=10) for future in futures]
    client.stop()
    found = await lane.pull(20)
    assert sorted(each.message.message_id for each in found) == sorted(ids)
    assert {each.message.attributes["kind"] for each in found} == {"batched"}
