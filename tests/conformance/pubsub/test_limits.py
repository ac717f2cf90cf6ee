"""Bounds: https://cloud.google.com/pubsub/quotas#resource_limits and the API's reference."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, InvalidArgument
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.types import PubsubMessage

from tests.conformance.pubsub.conftest import Lanes
from tests.conformance.pubsub.lane import Lane

Names = Callable[[str], str]
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
MEGABYTES = 1_000_000


@pytest.mark.parametrize(
    "attributes",
    [
        {str(number): "" for number in range(100)},
        {"k" * 256: ""},
        {"key": "v" * 1024},
    ],
    ids=["count", "key", "value"],
)
async def test_attributes_up_to_the_limit_are_published(
    lane: Lane, attributes: dict[str, str]
) -> None:
    await lane.publish(PubsubMessage(data=b"x", attributes=attributes))
    [found] = await lane.pull(1)
    assert dict(found.message.attributes) == attributes


@pytest.mark.parametrize(
    "attributes",
    [
        {str(number): "" for number in range(101)},
        {"k" * 257: ""},
        {"\u00fc" * 129: ""},
        {"key": "v" * 1025},
        {"": "value"},
        {"googkey": "value"},
    ],
    ids=["count", "key", "key-bytes", "value", "empty-key", "reserved-key"],
)
async def test_attributes_beyond_the_limit_are_refused(
    lane: Lane, attributes: dict[str, str]
) -> None:
    with pytest.raises(InvalidArgument):
        await lane.publish(PubsubMessage(data=b"x", attributes=attributes))


async def test_a_message_holds_almost_ten_megabytes(lane: Lane) -> None:
    assert await lane.publish(b"x" * (10 * MEGABYTES - 1000))


async def test_a_request_of_more_than_ten_megabytes_is_refused(lane: Lane) -> None:
    sent = [PubsubMessage(data=b"x" * (5 * MEGABYTES + 1000))] * 2
    with pytest.raises(InvalidArgument):
        await lane.publisher.publish(topic=lane.topic, messages=sent, retry=None, timeout=3.0)


async def test_a_request_holds_a_thousand_messages(lane: Lane) -> None:
    sent = [PubsubMessage(data=b"x")] * 1000
    assert len(await lane.publish(*sent)) == 1000
    with pytest.raises(InvalidArgument):
        await lane.publish(*sent, PubsubMessage(data=b"x"))


@pytest.mark.parametrize("key", ["k" * 1025, "\u00fc" * 513], ids=["characters", "bytes"])
async def test_an_ordering_key_has_at_most_a_kilobyte(lane: Lane, key: str) -> None:
    assert await lane.publish(PubsubMessage(data=b"x", ordering_key="k" * 1024))
    with pytest.raises(InvalidArgument):
        await lane.publish(PubsubMessage(data=b"x", ordering_key=key))


GOOD_IDS = ["abc", "a" * 255, "A-z_0.9~x+y%z"]
BAD_IDS = ["ab", "a" * 256, "1abc", "-abc", "goog-topic", "googx", "a b c", "a/b", "a\u00fcb", ""]


@pytest.mark.parametrize("name", GOOD_IDS)
async def test_ids_within_the_rules_are_accepted(
    publisher: PublisherAsyncClient,
    subscriber: SubscriberAsyncClient,
    project: str,
    fresh: Names,
    name: str,
) -> None:
    elsewhere = f"projects/{fresh(project)}"
    topic = await publisher.create_topic(name=f"{elsewhere}/topics/{name}")
    subscription = f"{elsewhere}/subscriptions/{name}"
    await subscriber.create_subscription(name=subscription, topic=topic.name)


@pytest.mark.parametrize("name", BAD_IDS)
@pytest.mark.parametrize("kind", ["topics", "subscriptions", "snapshots"])
async def test_ids_against_the_rules_are_refused(
    lane: Lane, project: str, kind: str, name: str
) -> None:
    full = f"projects/{project}/{kind}/{name}"
    makes = {
        "topics": lambda: lane.publisher.create_topic(name=full),
        "subscriptions": lambda: lane.subscriber.create_subscription(name=full, topic=lane.topic),
        "snapshots": lambda: lane.subscriber.create_snapshot(
            name=full, subscription=lane.subscription
        ),
    }
    with pytest.raises(InvalidArgument):
        await makes[kind]()


@pytest.mark.parametrize("name", ["", "abc", "topics/abc", "projects/p/subscriptions/abc"])
async def test_a_topic_has_a_full_name(publisher: PublisherAsyncClient, name: str) -> None:
    with pytest.raises(InvalidArgument):
        await publisher.create_topic(name=name)


WITHIN: list[tuple[str, dict[str, Any]]] = [
    ("shortest-deadline", {"ack_deadline_seconds": 10}),
    ("longest-deadline", {"ack_deadline_seconds": 600}),
    ("shortest-retention", {"message_retention_duration": 600 * SECOND}),
    ("longest-retention", {"message_retention_duration": 31 * DAY}),
    (
        "no-backoff",
        {"retry_policy": {"minimum_backoff": 0 * SECOND, "maximum_backoff": 0 * SECOND}},
    ),
    (
        "longest-backoff",
        {"retry_policy": {"minimum_backoff": 600 * SECOND, "maximum_backoff": 600 * SECOND}},
    ),
    (
        "soonest-expiry",
        {"message_retention_duration": 600 * SECOND, "expiration_policy": {"ttl": DAY}},
    ),
    ("labels", {"labels": {f"k{number}": "v" for number in range(64)}}),
]
BEYOND: list[tuple[str, dict[str, Any]]] = [
    ("short-deadline", {"ack_deadline_seconds": 9}),
    ("long-deadline", {"ack_deadline_seconds": 601}),
    ("negative-deadline", {"ack_deadline_seconds": -1}),
    ("short-retention", {"message_retention_duration": 599 * SECOND}),
    ("long-retention", {"message_retention_duration": 31 * DAY + SECOND}),
    ("long-backoff", {"retry_policy": {"maximum_backoff": 601 * SECOND}}),
    ("negative-backoff", {"retry_policy": {"minimum_backoff": -1 * SECOND}}),
    (
        "crossed-backoff",
        {"retry_policy": {"minimum_backoff": 20 * SECOND, "maximum_backoff": 10 * SECOND}},
    ),
    (
        "early-expiry",
        {"message_retention_duration": 600 * SECOND, "expiration_policy": {"ttl": DAY - SECOND}},
    ),
    ("endpoint", {"push_config": {"push_endpoint": "no url"}}),
    ("labels", {"labels": {f"k{number}": "v" for number in range(65)}}),
]


@pytest.mark.parametrize("options", [row[1] for row in WITHIN], ids=[row[0] for row in WITHIN])
async def test_subscriptions_up_to_the_limit_are_made(
    lanes: Lanes, options: dict[str, Any]
) -> None:
    lane = await lanes(**options)
    found = await lane.subscriber.get_subscription(subscription=lane.subscription)
    expected = type(found)(found)
    for name, value in options.items():
        setattr(expected, name, value)
    assert found == expected


@pytest.mark.parametrize("options", [row[1] for row in BEYOND], ids=[row[0] for row in BEYOND])
async def test_subscriptions_beyond_the_limit_are_refused(
    lanes: Lanes, options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidArgument):
        await lanes(**options)


@pytest.mark.parametrize("attempts", [5, 100])
async def test_a_message_has_five_to_a_hundred_attempts(lanes: Lanes, attempts: int) -> None:
    policy = {"dead_letter_topic": (await lanes()).topic, "max_delivery_attempts": attempts}
    assert await lanes(dead_letter_policy=policy)


@pytest.mark.parametrize("attempts", [-1, 4, 101])
async def test_other_numbers_of_attempts_are_refused(lanes: Lanes, attempts: int) -> None:
    policy = {"dead_letter_topic": (await lanes()).topic, "max_delivery_attempts": attempts}
    with pytest.raises(BadRequest):
        await lanes(dead_letter_policy=policy)


async def test_a_topic_retains_ten_minutes_to_a_month(
    publisher: PublisherAsyncClient, names: Names
) -> None:
    for retention in (600 * SECOND, 31 * DAY):
        made = await publisher.create_topic(
            {"name": names("topics"), "message_retention_duration": retention}
        )
        assert made.message_retention_duration == retention
    for retention in (599 * SECOND, 31 * DAY + SECOND):
        with pytest.raises(InvalidArgument):
            await publisher.create_topic(
                {"name": names("topics"), "message_retention_duration": retention}
            )
