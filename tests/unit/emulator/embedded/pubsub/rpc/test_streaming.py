"""StreamingPull as the handler it is, over a broker, with no port in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from emulator.embedded.messages import pubsub_pb
from emulator.embedded.pubsub.model import SECOND
from emulator.embedded.refusal import Refusal, Status
from tests.unit.emulator.embedded.pubsub.rpc.pubsub_world import (
    NAME,
    PUBLISHER,
    SUBSCRIBER,
    TOPIC,
    World,
    data_of,
    ids_of,
    running,
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as made:
        yield made


async def test_a_stream_gets_what_waits_and_what_comes(world: World) -> None:
    await world.subscribe(enable_message_ordering=True)
    await world.publish(b"1", b"2")
    stream = world.stream()
    first = await stream.next()
    assert data_of(first) == [b"1", b"2"]
    assert first.subscription_properties.message_ordering_enabled
    assert not first.subscription_properties.exactly_once_delivery_enabled
    waiting = asyncio.create_task(stream.next())
    await asyncio.sleep(0)
    await world.publish(b"3")
    assert data_of(await waiting) == [b"3"]


async def test_a_stream_is_sent_no_more_messages_than_it_allows(world: World) -> None:
    await world.subscribe()
    stream = world.stream(max_outstanding_messages=2)
    await world.publish(b"1", b"2", b"3", b"4")
    first = await stream.next()
    assert data_of(first) == [b"1", b"2"]
    stream.send(ack_ids=ids_of(first)[:1])
    assert data_of(await stream.next()) == [b"3"]
    await world.acknowledge(ids_of(first)[1])
    assert data_of(await stream.next()) == [b"4"]


async def test_a_stream_is_sent_no_more_bytes_than_it_allows(world: World) -> None:
    await world.subscribe()
    stream = world.stream(max_outstanding_bytes=10)
    await world.publish(b"x" * 8, b"y" * 8)
    first = await stream.next()
    assert data_of(first) == [b"x" * 8]
    stream.send(modify_deadline_ack_ids=ids_of(first), modify_deadline_seconds=[600])
    following = asyncio.create_task(stream.next())
    await asyncio.sleep(0.01)
    stream.send(ack_ids=ids_of(first))
    assert data_of(await following) == [b"y" * 8]


async def test_a_message_whose_lease_has_ended_counts_no_more_and_comes_again(world: World) -> None:
    await world.subscribe()
    stream = world.stream(max_outstanding_messages=1)
    await world.publish(b"1")
    assert data_of(await stream.next()) == [b"1"]
    world.now += 10 * SECOND
    assert data_of(await stream.next()) == [b"1"]


async def test_a_deadline_that_comes_too_late_does_not_count_the_message_again(
    world: World,
) -> None:
    await world.subscribe(retry_policy={"minimum_backoff": {"seconds": 60}})
    stream = world.stream(max_outstanding_messages=1)
    await world.publish(b"1", b"2")
    first = await stream.next()
    following = asyncio.create_task(stream.next())
    await asyncio.sleep(0.01)
    world.now += 10 * SECOND
    stream.send(modify_deadline_ack_ids=ids_of(first), modify_deadline_seconds=[600])
    async with asyncio.timeout(5):
        assert data_of(await following) == [b"2"]


async def test_a_stream_whose_message_died_gets_the_next(world: World) -> None:
    await world.subscribe(
        dead_letter_policy={"dead_letter_topic": TOPIC, "max_delivery_attempts": 5},
        filter="NOT attributes:CloudPubSubDeadLetterSourceDeliveryCount",
    )
    stream = world.stream(max_outstanding_messages=1)
    await world.publish(b"1")
    waiting = asyncio.create_task(stream.next())
    for _ in range(4):
        await waiting
        world.now += 10 * SECOND
        waiting = asyncio.create_task(stream.next())
    await waiting
    await world.publish(b"2")
    following = asyncio.create_task(stream.next())
    await asyncio.sleep(0)
    world.now += 10 * SECOND
    world.broker.advance()
    assert data_of(await following) == [b"2"]


async def test_a_subscription_is_in_use_until_its_stream_ends(world: World) -> None:
    day = 86_400
    await world.subscribe(
        expiration_policy={"ttl": {"seconds": 7 * day}},
        message_retention_duration={"seconds": 600},
    )
    stream = world.stream()
    waiting = asyncio.create_task(stream.next())
    await asyncio.sleep(0.01)
    world.now += 6 * day * SECOND
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    world.now += 6 * day * SECOND
    world.broker.advance()
    assert world.broker.get_subscription(NAME)


async def test_a_nack_brings_the_message_again(world: World) -> None:
    await world.subscribe()
    stream = world.stream(max_outstanding_messages=1)
    await world.publish(b"1")
    first = await stream.next()
    stream.send(modify_deadline_ack_ids=ids_of(first), modify_deadline_seconds=[0])
    assert data_of(await stream.next()) == [b"1"]


async def test_the_streams_deadline_is_that_of_its_leases(world: World) -> None:
    await world.subscribe()
    stream = world.stream(stream_ack_deadline_seconds=60)
    await world.publish(b"1")
    await stream.next()
    world.now += 59 * SECOND
    assert await world.pull(return_immediately=True) == []
    world.now += SECOND
    assert await world.pull(return_immediately=True) == [b"1"]


async def test_leases_outlive_their_stream(world: World) -> None:
    await world.subscribe()
    stream = world.stream()
    await world.publish(b"1")
    first = await stream.next()
    await stream.close()
    assert await world.pull(return_immediately=True) == []
    await world.acknowledge(*ids_of(first))
    world.now += 3600 * SECOND
    assert await world.pull(return_immediately=True) == []


async def test_two_streams_share_what_comes(world: World) -> None:
    await world.subscribe()
    streams = [world.stream(), world.stream()]
    waiting = [asyncio.create_task(stream.next()) for stream in streams]
    await asyncio.sleep(0.01)
    await world.publish(b"1")
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    await world.publish(b"2")
    async with asyncio.timeout(5):
        responses = await asyncio.gather(*waiting)
    assert len(done) == 1
    assert sorted(data_of(responses[0]) + data_of(responses[1])) == [b"1", b"2"]


async def test_a_closed_side_ends_the_stream(world: World) -> None:
    await world.subscribe()
    stream = world.stream()
    stream.half_close()
    await stream.ended()


async def test_exactly_once_acknowledgements_are_confirmed_and_stale_ones_named(
    world: World,
) -> None:
    await world.subscribe(enable_exactly_once_delivery=True)
    stream = world.stream()
    await world.publish(b"1")
    first = await stream.next()
    assert first.subscription_properties.exactly_once_delivery_enabled
    [ack_id] = ids_of(first)
    stream.send(modify_deadline_ack_ids=[ack_id], modify_deadline_seconds=[20])
    modified = (await stream.next()).modify_ack_deadline_confirmation
    assert list(modified.ack_ids) == [ack_id]
    stream.send(ack_ids=[ack_id])
    confirmed = await stream.next()
    assert list(confirmed.acknowledge_confirmation.ack_ids) == [ack_id]
    assert confirmed.subscription_properties.exactly_once_delivery_enabled
    stream.send(ack_ids=[ack_id])
    assert list((await stream.next()).acknowledge_confirmation.invalid_ack_ids) == [ack_id]


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ({"subscription": ""}, "first message must set subscription"),
        ({"stream_ack_deadline_seconds": 0}, "first message must set stream_ack_deadline_seconds"),
        ({"stream_ack_deadline_seconds": 9}, "must be between 10 and 600 seconds"),
        ({"stream_ack_deadline_seconds": 601}, "must be between 10 and 600 seconds"),
    ],
)
async def test_a_bad_first_request_is_refused(world: World, first: Any, words: str) -> None:
    await world.subscribe()
    refusal = await world.stream(**first).refused()
    assert refusal.status is Status.INVALID_ARGUMENT
    assert words in refusal.message


@pytest.mark.parametrize(
    "later",
    [
        {"subscription": NAME},
        {"max_outstanding_messages": 1},
        {"max_outstanding_bytes": 1},
        {"stream_ack_deadline_seconds": 5},
        {"modify_deadline_ack_ids": ["1-1"], "modify_deadline_seconds": [1, 2]},
        {"modify_deadline_ack_ids": ["1-1"], "modify_deadline_seconds": [-1]},
        {"modify_deadline_ack_ids": ["1-1"], "modify_deadline_seconds": [601]},
        {"modify_deadline_ack_ids": ["garbage"], "modify_deadline_seconds": [10]},
        {"ack_ids": ["garbage"]},
    ],
)
async def test_a_bad_later_request_ends_the_stream(world: World, later: Any) -> None:
    await world.subscribe()
    stream = world.stream()
    stream.send(**later)
    assert (await stream.refused()).status is Status.INVALID_ARGUMENT


async def test_a_stream_ends_with_its_subscription(world: World) -> None:
    await world.subscribe()
    ending = asyncio.create_task(world.stream().refused())
    await asyncio.sleep(0.01)
    request = pubsub_pb.DeleteSubscriptionRequest(subscription=NAME)
    await world.call(SUBSCRIBER + "DeleteSubscription", request)
    assert (await ending).status is Status.NOT_FOUND


async def test_a_reset_ends_streams_and_pulls(world: World) -> None:
    await world.subscribe()
    ending = asyncio.create_task(world.stream().refused())
    pulling = asyncio.create_task(world.pull())
    await asyncio.sleep(0.01)
    await world.service.reset()
    assert (await ending).status is Status.NOT_FOUND
    with pytest.raises(Refusal):
        await pulling


@pytest.mark.parametrize("how", ["push", "detached"])
async def test_what_cannot_be_pulled_from_is_refused(world: World, how: str) -> None:
    await world.subscribe()
    if how == "push":
        request = pubsub_pb.ModifyPushConfigRequest(subscription=NAME)
        request.push_config.push_endpoint = "http://127.0.0.1:9/none"
        await world.call(SUBSCRIBER + "ModifyPushConfig", request)
    else:
        request = pubsub_pb.DetachSubscriptionRequest(subscription=NAME)
        await world.call(PUBLISHER + "DetachSubscription", request)
    assert (await world.stream().refused()).status is Status.FAILED_PRECONDITION
    with pytest.raises(Refusal) as caught:
        await world.pull()
    assert caught.value.status is Status.FAILED_PRECONDITION
