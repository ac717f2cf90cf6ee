"""Exactly-once delivery: https://cloud.google.com/pubsub/docs/exactly-once-delivery."""

from __future__ import annotations

import asyncio
import queue
from typing import Any

import pytest
import pytest_asyncio
from google.cloud import pubsub_v1
from google.cloud.pubsub_v1.subscriber.exceptions import AcknowledgeError, AcknowledgeStatus
from google.pubsub_v1.types import StreamingPullResponse

from tests.conformance.pubsub.conftest import Lanes, Streams
from tests.conformance.pubsub.lane import PATIENCE, Lane, ack_ids, data


@pytest_asyncio.fixture(loop_scope="session")
async def once(lanes: Lanes) -> Lane:
    return await lanes(enable_exactly_once_delivery=True, ack_deadline_seconds=60)


async def test_an_acknowledgement_is_confirmed(
    once: Lane, high_level: pubsub_v1.SubscriberClient
) -> None:
    arrived: queue.Queue[Any] = queue.Queue()
    future = high_level.subscribe(once.subscription, callback=arrived.put)
    await once.publish(b"x")
    message = await asyncio.to_thread(arrived.get, timeout=PATIENCE)
    answer = message.ack_with_response()
    assert await asyncio.to_thread(answer.result, PATIENCE) is AcknowledgeStatus.SUCCESS
    await asyncio.to_thread(_stop, future)
    assert await once.is_empty()


async def test_an_acknowledgement_after_the_lease_ended_fails(
    once: Lane, high_level: pubsub_v1.SubscriberClient
) -> None:
    arrived: queue.Queue[Any] = queue.Queue()
    future = high_level.subscribe(once.subscription, callback=arrived.put)
    await once.publish(b"x")
    message = await asyncio.to_thread(arrived.get, timeout=PATIENCE)
    await once.subscriber.modify_ack_deadline(
        subscription=once.subscription, ack_ids=[message.ack_id], ack_deadline_seconds=0
    )
    answer = message.ack_with_response()
    with pytest.raises(AcknowledgeError) as caught:
        await asyncio.to_thread(answer.result, PATIENCE)
    assert caught.value.error_code is AcknowledgeStatus.INVALID_ACK_ID
    again = await asyncio.to_thread(arrived.get, timeout=PATIENCE)
    assert again.message_id == message.message_id
    again.ack()
    await asyncio.to_thread(_stop, future)


async def test_a_redelivery_has_a_new_ack_id(once: Lane) -> None:
    await once.publish(b"x")
    [first] = await once.pull(1)
    await once.lease([first], 0)
    [second] = await once.pull(1)
    assert first.ack_id != second.ack_id


async def test_a_stream_says_that_delivery_is_exactly_once(
    once: Lane, lane: Lane, streams: Streams
) -> None:
    for each, expected in ((once, True), (lane, False)):
        await each.publish(b"x")
        stream = streams(each)
        assert data(await stream.read(1)) == [b"x"]
        last: StreamingPullResponse = stream.last
        properties = last.subscription_properties
        assert properties.exactly_once_delivery_enabled is expected


async def test_a_stream_confirms_acknowledgements(once: Lane, streams: Streams) -> None:
    await once.publish(b"x")
    stream = streams(once)
    received = await stream.read(1)
    stream.ack(received)
    answer = await stream.answer(lambda each: each.acknowledge_confirmation.ack_ids)
    assert list(answer.acknowledge_confirmation.ack_ids) == ack_ids(received)


async def test_a_stream_names_acknowledgements_that_failed(once: Lane, streams: Streams) -> None:
    await once.publish(b"x")
    stream = streams(once)
    received = await stream.read(1)
    stream.ack(received)
    stream.ack(received)
    answer = await stream.answer(lambda each: each.acknowledge_confirmation.invalid_ack_ids)
    assert list(answer.acknowledge_confirmation.invalid_ack_ids) == ack_ids(received)


def _stop(future: Any) -> None:
    future.cancel()
    future.result(timeout=PATIENCE)
