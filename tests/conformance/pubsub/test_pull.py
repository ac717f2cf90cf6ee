"""Pull, leases and acknowledgements: https://cloud.google.com/pubsub/docs/pull."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from google.api_core.exceptions import InvalidArgument, NotFound
from google.pubsub_v1 import SubscriberAsyncClient, SubscriberClient

from tests.conformance.pubsub.conftest import Lanes
from tests.conformance.pubsub.lane import Lane, data


async def test_a_pull_waits_for_a_message(lane: Lane) -> None:
    waiting = asyncio.create_task(lane.pull_once())
    await asyncio.sleep(0.1)
    await lane.publish(b"x")
    assert data(await waiting) == [b"x"]


async def test_a_pull_brings_no_more_than_asked_for(lane: Lane) -> None:
    await lane.publish(b"1", b"2", b"3")
    assert len(await lane.pull_once(2)) <= 2


async def test_a_leased_message_is_not_delivered_again(lane: Lane) -> None:
    await lane.publish(b"x")
    await lane.pull(1)
    assert await lane.is_empty()


async def test_a_nacked_message_is_delivered_again_under_a_new_lease(lane: Lane) -> None:
    await lane.publish(b"x")
    [first] = await lane.pull(1)
    await lane.lease([first], 0)
    [second] = await lane.pull(1)
    assert second.message == first.message
    assert second.ack_id != first.ack_id


async def test_without_a_dead_letter_policy_attempts_are_not_counted(lane: Lane) -> None:
    await lane.publish(b"x")
    for _ in range(2):
        received = await lane.pull(1)
        assert [each.delivery_attempt for each in received] == [0]
        await lane.lease(received, 0)


async def test_leases_end_when_their_deadline_passes(lanes: Lanes) -> None:
    async def is_delivered_again_after_a_second() -> None:
        lane = await lanes()
        await lane.publish(b"x")
        received = await lane.pull(1)
        await lane.lease(received, 1)
        began = time.monotonic()
        assert data(await lane.pull(1)) == [b"x"]
        assert time.monotonic() - began > 0.9

    async def is_not_once_acknowledged() -> None:
        lane = await lanes()
        await lane.publish(b"x")
        received = await lane.pull(1)
        await lane.lease(received, 1)
        await lane.ack(received)
        assert await lane.is_empty(within=2.5)

    async def is_not_while_the_lease_is_extended() -> None:
        lane = await lanes()
        await lane.publish(b"x")
        received = await lane.pull(1)
        await lane.lease(received, 1)
        await lane.lease(received, 30)
        assert await lane.is_empty(within=2.5)

    async def is_delivered_again_after_the_subscription_s_own_deadline() -> None:
        lane = await lanes(ack_deadline_seconds=10)
        await lane.publish(b"x")
        await lane.pull(1)
        assert await lane.is_empty(within=9)
        assert data(await lane.pull(1)) == [b"x"]

    await asyncio.gather(
        is_delivered_again_after_the_subscription_s_own_deadline(),
        is_delivered_again_after_a_second(),
        is_not_once_acknowledged(),
        is_not_while_the_lease_is_extended(),
    )


async def test_a_late_acknowledgement_is_accepted(lane: Lane) -> None:
    await lane.publish(b"x")
    received = await lane.pull(1)
    await lane.ack(received)
    await lane.ack(received)
    assert await lane.is_empty()


@pytest.mark.parametrize("most", [0, -1])
async def test_a_pull_asks_for_at_least_one(lane: Lane, most: int) -> None:
    with pytest.raises(InvalidArgument):
        await lane.pull_once(most, within=1.0)


@pytest.mark.parametrize("seconds", [-1, 601])
async def test_a_lease_ends_within_ten_minutes(lane: Lane, seconds: int) -> None:
    await lane.publish(b"x")
    received = await lane.pull(1)
    with pytest.raises(InvalidArgument):
        await lane.lease(received, seconds)


async def test_an_acknowledgement_names_ids(lane: Lane) -> None:
    with pytest.raises(InvalidArgument):
        await lane.subscriber.acknowledge(subscription=lane.subscription, ack_ids=[])
    with pytest.raises(InvalidArgument):
        await lane.lease([], 10)


async def test_a_missing_subscription_is_not_found(
    subscriber: SubscriberAsyncClient, names: Callable[[str], str]
) -> None:
    missing = names("subscriptions")
    with pytest.raises(NotFound):
        await subscriber.pull(subscription=missing, max_messages=1)
    with pytest.raises(NotFound):
        await subscriber.acknowledge(subscription=missing, ack_ids=["x"])
    with pytest.raises(NotFound):
        await subscriber.modify_ack_deadline(
            subscription=missing, ack_ids=["x"], ack_deadline_seconds=10
        )


async def test_the_synchronous_client_pulls_and_acknowledges(
    sync_subscriber: SubscriberClient, lane: Lane
) -> None:
    await lane.publish(b"x")
    answer = sync_subscriber.pull(subscription=lane.subscription, max_messages=1)
    assert data(answer.received_messages) == [b"x"]
    sync_subscriber.acknowledge(
        subscription=lane.subscription, ack_ids=[each.ack_id for each in answer.received_messages]
    )
    assert await lane.is_empty()
