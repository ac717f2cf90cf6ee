"""Dead letters: https://cloud.google.com/pubsub/docs/dead-letter-topics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from google.api_core.exceptions import NotFound
from google.pubsub_v1 import SubscriberAsyncClient
from google.pubsub_v1.types import PubsubMessage, ReceivedMessage

from tests.conformance.pubsub.conftest import Lanes, Streams
from tests.conformance.pubsub.hook import Hook
from tests.conformance.pubsub.lane import Lane, data

MESSAGE = PubsubMessage(data=b"x", attributes={"a": "b"})
SOURCE = "CloudPubSubDeadLetterSource"


@dataclass(frozen=True)
class Pair:
    """A lane whose messages are dead after five attempts, and where they go."""

    source: Lane
    dead: Lane

    async def letter(self) -> ReceivedMessage:
        """Wait for a dead letter while the source is pulled from, as subscribers do."""
        pulling = asyncio.create_task(self.source.pull_once(within=20))
        [letter] = await self.dead.pull(1, within=20)
        pulling.cancel()
        return letter


@pytest.fixture
def pairs(lanes: Lanes) -> Callable[..., Any]:
    async def make(**subscription: Any) -> Pair:
        dead = await lanes()
        policy = {"dead_letter_topic": dead.topic, "max_delivery_attempts": 5}
        return Pair(await lanes(dead_letter_policy=policy, **subscription), dead)

    return make


async def test_a_message_is_dead_after_its_last_attempt(pairs: Callable[..., Any]) -> None:
    pair = await pairs()
    await pair.source.publish(MESSAGE)
    assert await _attempts(pair.source, 5) == [1, 2, 3, 4, 5]
    letter = await pair.letter()
    assert letter.message.data == b"x"
    assert await pair.source.is_empty()


async def test_a_dead_letter_says_where_it_comes_from(
    pairs: Callable[..., Any], project: str
) -> None:
    pair = await pairs()
    [message_id] = await pair.source.publish(MESSAGE)
    await _attempts(pair.source, 5)
    letter = await pair.letter()
    attributes = dict(letter.message.attributes)
    assert datetime.fromisoformat(attributes.pop(f"{SOURCE}TopicPublishTime"))
    assert attributes == {
        "a": "b",
        f"{SOURCE}DeliveryCount": "5",
        f"{SOURCE}Subscription": pair.source.subscription.rpartition("/")[2],
        f"{SOURCE}SubscriptionProject": project,
    }
    assert letter.message.message_id != message_id


async def test_an_ended_lease_is_an_attempt(pairs: Callable[..., Any]) -> None:
    async def one(letter: bytes) -> None:
        pair = await pairs()
        await pair.source.publish(letter)
        await _attempts(pair.source, 4)
        await pair.source.lease(await pair.source.pull(1), 1)
        assert (await pair.letter()).message.data == letter

    await asyncio.gather(one(b"1"), one(b"2"))


async def test_a_message_acknowledged_in_time_is_not_dead(pairs: Callable[..., Any]) -> None:
    pair = await pairs()
    await pair.source.publish(MESSAGE)
    await _attempts(pair.source, 4)
    assert await pair.source.drain(1) == [b"x"]
    assert await pair.dead.is_empty()


async def test_attempts_are_counted_on_a_stream(
    pairs: Callable[..., Any], streams: Streams
) -> None:
    pair = await pairs()
    stream = streams(pair.source)
    await pair.source.publish(MESSAGE)
    attempts = []
    for _ in range(5):
        received = await stream.read(1)
        attempts += [each.delivery_attempt for each in received]
        stream.lease(received, 0)
    assert attempts == [1, 2, 3, 4, 5]
    assert data(await pair.dead.pull(1)) == [b"x"]


async def test_a_push_that_is_refused_five_times_is_dead(
    pairs: Callable[..., Any], hook: Hook
) -> None:
    hook.answer = lambda _: 500
    pair = await pairs(push_config={"push_endpoint": hook.url})
    await pair.source.publish(MESSAGE)
    [letter] = await pair.dead.pull(1, within=20)
    assert letter.message.attributes[f"{SOURCE}DeliveryCount"] == "5"
    assert len(hook.pushed) == 5


async def test_dead_letters_can_be_pushed_too(lanes: Lanes, hook: Hook) -> None:
    dead = await lanes(push_config={"push_endpoint": hook.url})
    policy = {"dead_letter_topic": dead.topic, "max_delivery_attempts": 5}
    lane = await lanes(dead_letter_policy=policy)
    await lane.publish(MESSAGE)
    await _attempts(lane, 5)
    assert await lane.is_empty()
    [pushed] = await hook.received(1)
    assert pushed.envelope["message"]["attributes"][f"{SOURCE}DeliveryCount"] == "5"


async def test_a_message_of_an_ordered_subscription_dies_too(pairs: Callable[..., Any]) -> None:
    pair = await pairs(enable_message_ordering=True)
    await pair.source.publish(
        PubsubMessage(data=b"1", ordering_key="key"), PubsubMessage(data=b"2", ordering_key="key")
    )
    for _ in range(5):
        first, *others = await pair.source.pull(1)
        assert first.message.data == b"1"
        await pair.source.lease([first, *others], 0)
    letter = await pair.letter()
    assert (letter.message.data, letter.message.ordering_key) == (b"1", "key")


async def test_a_dead_letter_does_not_stall_its_ordering_key(
    pairs: Callable[..., Any], hook: Hook
) -> None:
    hook.answer = lambda pushed: 500 if pushed.data == b"poison" else 200
    pair = await pairs(enable_message_ordering=True, push_config={"push_endpoint": hook.url})
    sent = [(b"poison", "key"), (b"after", "key"), (b"free", "")]
    await pair.source.publish(*(PubsubMessage(data=d, ordering_key=key) for d, key in sent))
    assert data(await pair.dead.pull(1)) == [b"poison"]
    async with asyncio.timeout(8):
        while {each.data for each in hook.pushed} != {b"poison", b"after", b"free"}:
            await hook.received(len(hook.pushed) + 1)


async def test_the_dead_letter_topic_must_exist(
    lanes: Lanes, subscriber: SubscriberAsyncClient, names: Callable[[str], str]
) -> None:
    policy = {"dead_letter_topic": names("topics"), "max_delivery_attempts": 5}
    with pytest.raises(NotFound):
        await lanes(dead_letter_policy=policy)
    lane = await lanes()
    with pytest.raises(NotFound):
        await subscriber.update_subscription(
            subscription={"name": lane.subscription, "dead_letter_policy": policy},
            update_mask={"paths": ["dead_letter_policy"]},
        )


async def test_five_attempts_are_the_default(
    subscriber: SubscriberAsyncClient, lanes: Lanes
) -> None:
    lane = await lanes(dead_letter_policy={"dead_letter_topic": (await lanes()).topic})
    found = await subscriber.get_subscription(subscription=lane.subscription)
    assert found.dead_letter_policy.max_delivery_attempts == 5


async def _attempts(lane: Lane, count: int) -> list[int]:
    attempts: list[int] = []
    for _ in range(count):
        received: list[ReceivedMessage] = await lane.pull(1)
        attempts += [each.delivery_attempt for each in received]
        await lane.lease(received, 0)
    return attempts
