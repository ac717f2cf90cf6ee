"""Subscriptions: https://cloud.google.com/pubsub/docs/subscription-properties."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient, SubscriberClient

from tests.conformance.pubsub.conftest import Lanes
from tests.conformance.pubsub.lane import Lane

Names = Callable[[str], str]
V1 = {"x-goog-version": "v1"}


async def test_defaults_are_filled_in(subscriber: SubscriberAsyncClient, lane: Lane) -> None:
    found = await subscriber.get_subscription(subscription=lane.subscription)
    assert (found.name, found.topic) == (lane.subscription, lane.topic)
    assert found.ack_deadline_seconds == 10
    assert found.message_retention_duration == timedelta(days=7)
    assert (found.enable_message_ordering, found.filter, found.detached) == (False, "", False)
    assert not found.push_config.push_endpoint


async def test_an_unused_subscription_expires_after_a_month(
    subscriber: SubscriberAsyncClient, lane: Lane
) -> None:
    found = await subscriber.get_subscription(subscription=lane.subscription)
    assert found.expiration_policy.ttl == timedelta(days=31)


async def test_a_back_off_has_defaults(subscriber: SubscriberAsyncClient, lanes: Lanes) -> None:
    lane = await lanes(retry_policy={})
    found = await subscriber.get_subscription(subscription=lane.subscription)
    assert found.retry_policy.minimum_backoff == timedelta(seconds=10)
    assert found.retry_policy.maximum_backoff == timedelta(seconds=600)


async def test_what_was_configured_can_be_read(
    subscriber: SubscriberAsyncClient, lanes: Lanes, lane: Lane
) -> None:
    policy = {"dead_letter_topic": lane.topic, "max_delivery_attempts": 7}
    backoff = {"minimum_backoff": timedelta(seconds=1), "maximum_backoff": timedelta(seconds=60)}
    made = await lanes(
        ack_deadline_seconds=20,
        retain_acked_messages=True,
        message_retention_duration=timedelta(hours=1),
        labels={"a": "b"},
        enable_message_ordering=True,
        dead_letter_policy=policy,
        retry_policy=backoff,
        expiration_policy={},
        push_config={"push_endpoint": "https://example.com/push", "attributes": {}},
    )
    found = await subscriber.get_subscription(subscription=made.subscription)
    assert found.ack_deadline_seconds == 20
    assert found.retain_acked_messages
    assert found.message_retention_duration == timedelta(hours=1)
    assert dict(found.labels) == {"a": "b"}
    assert found.enable_message_ordering
    assert found.dead_letter_policy.dead_letter_topic == lane.topic
    assert found.dead_letter_policy.max_delivery_attempts == 7
    assert found.retry_policy.minimum_backoff == timedelta(seconds=1)
    assert found.retry_policy.maximum_backoff == timedelta(seconds=60)
    assert found.push_config.push_endpoint == "https://example.com/push"
    assert not found.expiration_policy.ttl


async def test_a_subscription_is_created_once(
    subscriber: SubscriberAsyncClient, lane: Lane
) -> None:
    with pytest.raises(AlreadyExists):
        await subscriber.create_subscription(name=lane.subscription, topic=lane.topic)


async def test_a_subscription_needs_its_topic(
    subscriber: SubscriberAsyncClient, names: Names
) -> None:
    with pytest.raises(NotFound):
        await subscriber.create_subscription(name=names("subscriptions"), topic=names("topics"))


@pytest.mark.parametrize("call", ["get_subscription", "delete_subscription"])
async def test_a_missing_subscription_is_not_found(
    subscriber: SubscriberAsyncClient, names: Names, call: str
) -> None:
    with pytest.raises(NotFound):
        await getattr(subscriber, call)(subscription=names("subscriptions"))


async def test_a_deleted_subscription_is_gone(
    publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient, lane: Lane
) -> None:
    await subscriber.delete_subscription(subscription=lane.subscription)
    with pytest.raises(NotFound):
        await lane.pull_once()
    listed = await publisher.list_topic_subscriptions(topic=lane.topic)
    assert [name async for name in listed] == []


async def test_a_subscription_made_anew_starts_empty(
    subscriber: SubscriberAsyncClient, lane: Lane
) -> None:
    await lane.publish(b"old")
    await subscriber.delete_subscription(subscription=lane.subscription)
    await subscriber.create_subscription(name=lane.subscription, topic=lane.topic)
    await lane.publish(b"new")
    assert await lane.drain(1) == [b"new"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("ack_deadline_seconds", 30),
        ("retain_acked_messages", True),
        ("message_retention_duration", timedelta(hours=2)),
        (
            "retry_policy",
            {"minimum_backoff": timedelta(seconds=2), "maximum_backoff": timedelta(seconds=3)},
        ),
        ("push_config", {"push_endpoint": "https://example.com/b", "attributes": V1}),
        ("labels", {"c": "d"}),
        ("expiration_policy", {"ttl": timedelta(days=40)}),
        ("enable_exactly_once_delivery", True),
    ],
    ids=lambda value: value if isinstance(value, str) else "to",
)
async def test_an_update_changes_what_its_mask_names(
    subscriber: SubscriberAsyncClient, lanes: Lanes, path: str, value: Any
) -> None:
    lane = await lanes(labels={"a": "b"}, ack_deadline_seconds=20)
    before = await subscriber.get_subscription(subscription=lane.subscription)
    change = {"name": lane.subscription, path: value}
    updated = await subscriber.update_subscription(
        subscription=change, update_mask={"paths": [path]}
    )
    expected = type(before)(before)
    setattr(expected, path, value)
    assert updated == expected
    assert await subscriber.get_subscription(subscription=lane.subscription) == expected


async def test_a_dead_letter_policy_comes_and_goes(
    subscriber: SubscriberAsyncClient, lanes: Lanes
) -> None:
    lane, dead = await lanes(), await lanes()
    policy = {"dead_letter_topic": dead.topic, "max_delivery_attempts": 6}
    for change, topic in (({"dead_letter_policy": policy}, dead.topic), ({}, "")):
        updated = await subscriber.update_subscription(
            subscription={"name": lane.subscription, **change},
            update_mask={"paths": ["dead_letter_policy"]},
        )
        assert updated.dead_letter_policy.dead_letter_topic == topic


@pytest.mark.parametrize(
    "paths",
    [[], ["name"], ["topic"], ["enable_message_ordering"], ["nonsense"]],
    ids=lambda paths: "-".join(paths) or "nothing",
)
async def test_a_mask_names_what_can_be_changed(
    subscriber: SubscriberAsyncClient, lane: Lane, paths: list[str]
) -> None:
    change = {
        "name": lane.subscription,
        "topic": lane.topic + "-other",
        "enable_message_ordering": True,
    }
    with pytest.raises(InvalidArgument):
        await subscriber.update_subscription(subscription=change, update_mask={"paths": paths})


async def test_a_missing_subscription_is_not_updated(
    subscriber: SubscriberAsyncClient, names: Names, lane: Lane
) -> None:
    change = {"name": names("subscriptions"), "topic": lane.topic, "ack_deadline_seconds": 20}
    with pytest.raises(NotFound):
        await subscriber.update_subscription(
            subscription=change, update_mask={"paths": ["ack_deadline_seconds"]}
        )


async def test_subscriptions_are_listed_page_by_page(
    publisher: PublisherAsyncClient,
    subscriber: SubscriberAsyncClient,
    project: str,
    fresh: Names,
) -> None:
    elsewhere = f"projects/{fresh(project)}"
    topic = await publisher.create_topic(name=f"{elsewhere}/topics/one")
    made = [f"{elsewhere}/subscriptions/listed-{number}" for number in range(5)]
    for name in made:
        await subscriber.create_subscription(name=name, topic=topic.name)
    request = {"project": elsewhere, "page_size": 2}
    pages = [page async for page in (await subscriber.list_subscriptions(request)).pages]
    assert [len(page.subscriptions) for page in pages] == [2, 2, 1]
    found = [subscription.name for page in pages for subscription in page.subscriptions]
    assert sorted(found) == made


async def test_a_detached_subscription_gets_nothing_more(
    publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient, lane: Lane
) -> None:
    await lane.publish(b"dropped")
    await publisher.detach_subscription({"subscription": lane.subscription})
    assert (await subscriber.get_subscription(subscription=lane.subscription)).detached
    with pytest.raises(FailedPrecondition):
        await lane.pull_once()
    listed = await publisher.list_topic_subscriptions(topic=lane.topic)
    assert [name async for name in listed] == []


async def test_only_a_subscription_that_is_there_is_detached(
    publisher: PublisherAsyncClient, names: Names
) -> None:
    with pytest.raises(NotFound):
        await publisher.detach_subscription({"subscription": names("subscriptions")})


async def test_pull_becomes_push_and_pull_again(
    subscriber: SubscriberAsyncClient, lane: Lane
) -> None:
    for endpoint in ("https://example.com/push", ""):
        await subscriber.modify_push_config(
            subscription=lane.subscription, push_config={"push_endpoint": endpoint}
        )
        found = await subscriber.get_subscription(subscription=lane.subscription)
        assert found.push_config.push_endpoint == endpoint


def test_the_synchronous_client_manages_subscriptions(
    sync_subscriber: SubscriberClient, lane: Lane
) -> None:
    found = sync_subscriber.get_subscription(subscription=lane.subscription)
    assert found.topic == lane.topic
    sync_subscriber.delete_subscription(subscription=lane.subscription)
    with pytest.raises(NotFound):
        sync_subscriber.get_subscription(subscription=lane.subscription)
