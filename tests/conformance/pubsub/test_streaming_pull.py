"""Streaming pull: https://cloud.google.com/pubsub/docs/pull#streamingpull_api."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import FailedPrecondition, InvalidArgument, NotFound
from google.cloud import pubsub_v1
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient

from tests.conformance.pubsub.conftest import Lanes, Streams
from tests.conformance.pubsub.lane import PATIENCE, Lane, data


async def test_what_waits_and_what_comes_is_streamed(lane: Lane, streams: Streams) -> None:
    await lane.publish(b"before")
    stream = streams(lane)
    assert data(await stream.read(1)) == [b"before"]
    await lane.publish(b"meanwhile")
    assert data(await stream.read(1)) == [b"meanwhile"]


async def test_a_message_acknowledged_on_the_stream_is_done(lane: Lane, streams: Streams) -> None:
    await lane.publish(b"x")
    stream = streams(lane)
    received = await stream.read(1)
    stream.ack(received)
    stream.lease(received, 0)
    assert await stream.read(1, within=0.4) == []
    assert await lane.is_empty()


async def test_a_message_nacked_on_the_stream_comes_again(lane: Lane, streams: Streams) -> None:
    await lane.publish(b"x")
    stream = streams(lane)
    [first] = await stream.read(1)
    stream.lease([first], 0)
    [second] = await stream.read(1)
    assert second.message == first.message


async def test_a_unary_acknowledgement_counts_for_a_stream(lane: Lane, streams: Streams) -> None:
    await lane.publish(b"x")
    stream = streams(lane, max_outstanding_messages=1)
    received = await stream.read(1)
    await lane.publish(b"y")
    await lane.ack(received)
    assert data(await stream.read(1)) == [b"y"]


async def test_no_more_messages_are_outstanding_than_the_stream_allows(
    lane: Lane, streams: Streams
) -> None:
    await lane.publish(*(str(n).encode() for n in range(5)))
    stream = streams(lane, max_outstanding_messages=2)
    first = await stream.read(2)
    rest = asyncio.create_task(stream.read(2))
    await asyncio.sleep(0.3)
    assert not rest.done()
    assert len(first) == 2
    stream.ack(first)
    assert len(await rest) == 2


async def test_no_more_bytes_are_outstanding_than_the_stream_allows(
    lane: Lane, streams: Streams
) -> None:
    await lane.publish(*(bytes([n]) * 1000 for n in range(5)))
    stream = streams(lane, max_outstanding_bytes=2500)
    first = await stream.read(2)
    assert len(first) <= 3
    rest = asyncio.create_task(stream.read(5 - len(first)))
    await asyncio.sleep(0.3)
    assert not rest.done()
    stream.ack(first)
    rest.cancel()


async def test_the_stream_s_deadline_ends_its_leases(lane: Lane, streams: Streams) -> None:
    await lane.publish(b"x")
    stream = streams(lane, stream_ack_deadline_seconds=600)
    received = await stream.read(1)
    stream.lease(received, 1)
    assert data(await stream.read(1)) == [b"x"]


async def test_streams_share_the_messages(lane: Lane, streams: Streams) -> None:
    first, second = streams(lane), streams(lane)
    reading = [asyncio.create_task(each.read(10, within=1.0)) for each in (first, second)]
    await asyncio.sleep(0.2)
    sent = [str(number).encode() for number in range(10)]
    for each in sent:
        await lane.publish(each)
    found = [each for read in await asyncio.gather(*reading) for each in data(read)]
    assert sorted(found) == sent


@pytest.mark.parametrize(
    "opening",
    [
        {"subscription": ""},
        {"stream_ack_deadline_seconds": 9},
        {"stream_ack_deadline_seconds": 601},
        {"modify_deadline_ack_ids": ["x"], "modify_deadline_seconds": []},
    ],
    ids=["no-subscription", "short-deadline", "long-deadline", "uneven-deadlines"],
)
async def test_a_wrong_opening_is_refused(
    lane: Lane, streams: Streams, opening: dict[str, Any]
) -> None:
    with pytest.raises(InvalidArgument):
        await streams(lane, **opening).read(1, within=2.0)


async def test_a_missing_subscription_is_not_streamed(
    lane: Lane, streams: Streams, names: Callable[[str], str]
) -> None:
    with pytest.raises(NotFound):
        await streams(lane, subscription=names("subscriptions")).read(1)


async def test_a_stream_ends_with_its_subscription(
    subscriber: SubscriberAsyncClient, lane: Lane, streams: Streams
) -> None:
    reading = asyncio.create_task(streams(lane).read(1))
    await asyncio.sleep(0.2)
    await subscriber.delete_subscription(subscription=lane.subscription)
    with pytest.raises(NotFound):
        await reading


async def test_a_stream_ends_when_its_subscription_is_detached(
    publisher: PublisherAsyncClient, lane: Lane, streams: Streams
) -> None:
    reading = asyncio.create_task(streams(lane).read(1))
    await asyncio.sleep(0.2)
    await publisher.detach_subscription({"subscription": lane.subscription})
    with pytest.raises(FailedPrecondition):
        await reading


async def test_the_subscriber_client_calls_back(
    high_level: pubsub_v1.SubscriberClient, lane: Lane
) -> None:
    arrived: queue.Queue[bytes] = queue.Queue()
    refused = set[bytes]()

    def take(message: Any) -> None:
        arrived.put(message.data)
        if message.data not in refused:
            refused.add(message.data)
            message.nack()
        else:
            message.ack()

    future = high_level.subscribe(lane.subscription, callback=take)
    sent = [str(number).encode() for number in range(20)]
    await lane.publish(*sent)
    found = [await asyncio.to_thread(arrived.get, timeout=PATIENCE) for _ in range(40)]
    assert sorted(found) == sorted(sent * 2)
    await asyncio.to_thread(_stop, future)
    assert await lane.is_empty()


async def test_the_subscriber_client_is_held_to_its_flow_control(
    high_level: pubsub_v1.SubscriberClient, lanes: Lanes
) -> None:
    lane = await lanes()
    arrived: queue.Queue[Any] = queue.Queue()
    limit = pubsub_v1.types.FlowControl(max_messages=2)
    await lane.publish(*(str(n).encode() for n in range(6)))
    future = high_level.subscribe(lane.subscription, callback=arrived.put, flow_control=limit)
    found = set[bytes]()
    while len(found) < 6:
        message = await asyncio.to_thread(arrived.get, timeout=PATIENCE)
        assert arrived.qsize() < 2
        found.add(message.data)
        message.ack()
    await asyncio.to_thread(_stop, future)


def _stop(future: Any) -> None:
    future.cancel()
    future.result(timeout=PATIENCE)
