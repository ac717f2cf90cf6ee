"""Topics: https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#publisher."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound
from google.pubsub_v1 import PublisherAsyncClient, PublisherClient, SubscriberAsyncClient

from tests.conformance.pubsub.conftest import Lanes

Names = Callable[[str], str]


async def test_a_created_topic_can_be_read(publisher: PublisherAsyncClient, names: Names) -> None:
    name = names("topics")
    made = await publisher.create_topic(
        {"name": name, "labels": {"a": "b"}, "message_retention_duration": timedelta(hours=1)}
    )
    found = await publisher.get_topic(topic=name)
    assert found == made
    assert (found.name, dict(found.labels)) == (name, {"a": "b"})
    assert found.message_retention_duration == timedelta(hours=1)


async def test_a_topic_is_created_once(publisher: PublisherAsyncClient, names: Names) -> None:
    name = names("topics")
    await publisher.create_topic(name=name)
    with pytest.raises(AlreadyExists):
        await publisher.create_topic(name=name)


@pytest.mark.parametrize("call", ["get_topic", "delete_topic"])
async def test_a_missing_topic_is_not_found(
    publisher: PublisherAsyncClient, names: Names, call: str
) -> None:
    with pytest.raises(NotFound):
        await getattr(publisher, call)(topic=names("topics"))


async def test_the_labels_of_a_topic_change(publisher: PublisherAsyncClient, names: Names) -> None:
    name = names("topics")
    await publisher.create_topic({"name": name, "labels": {"a": "b"}})
    await publisher.update_topic(
        topic={"name": name, "labels": {"c": "d"}}, update_mask=_mask("labels")
    )
    assert dict((await publisher.get_topic(topic=name)).labels) == {"c": "d"}


async def test_an_update_changes_only_what_its_mask_names(
    publisher: PublisherAsyncClient, names: Names
) -> None:
    name = names("topics")
    await publisher.create_topic({"name": name, "labels": {"a": "b"}})
    hour = timedelta(hours=1)
    updated = await publisher.update_topic(
        topic={"name": name, "labels": {"c": "d"}, "message_retention_duration": hour},
        update_mask=_mask("message_retention_duration"),
    )
    assert (dict(updated.labels), updated.message_retention_duration) == ({"a": "b"}, hour)


@pytest.mark.parametrize("paths", [[], ["name"], ["nonsense"]])
async def test_a_mask_names_what_can_be_changed(
    publisher: PublisherAsyncClient, names: Names, paths: list[str]
) -> None:
    name = names("topics")
    await publisher.create_topic(name=name)
    with pytest.raises(InvalidArgument):
        await publisher.update_topic(topic={"name": name}, update_mask=_mask(*paths))


async def test_a_missing_topic_is_not_updated(
    publisher: PublisherAsyncClient, names: Names
) -> None:
    topic = {"name": names("topics"), "message_retention_duration": timedelta(hours=1)}
    with pytest.raises(NotFound):
        await publisher.update_topic(topic=topic, update_mask=_mask("message_retention_duration"))


async def test_topics_are_listed_page_by_page(
    publisher: PublisherAsyncClient, project: str, fresh: Names
) -> None:
    elsewhere = f"projects/{fresh(project)}"
    made = [f"{elsewhere}/topics/listed-{number}" for number in range(5)]
    for name in made:
        await publisher.create_topic(name=name)
    request = {"project": elsewhere, "page_size": 2}
    pages = [page async for page in (await publisher.list_topics(request)).pages]
    assert [len(page.topics) for page in pages] == [2, 2, 1]
    assert sorted(topic.name for page in pages for topic in page.topics) == made


async def test_the_subscriptions_of_a_topic_are_listed(
    publisher: PublisherAsyncClient, lanes: Lanes
) -> None:
    first = await lanes()
    second = await lanes(topic=first.topic)
    await lanes()
    found = await publisher.list_topic_subscriptions(topic=first.topic)
    names = [name async for name in found]
    assert sorted(names) == sorted([first.subscription, second.subscription])


@pytest.mark.parametrize("call", ["list_topic_subscriptions", "list_topic_snapshots"])
async def test_nothing_is_listed_of_a_missing_topic(
    publisher: PublisherAsyncClient, names: Names, call: str
) -> None:
    with pytest.raises(NotFound):
        await getattr(publisher, call)(topic=names("topics"))


async def test_the_snapshots_of_a_topic_are_listed(
    publisher: PublisherAsyncClient,
    subscriber: SubscriberAsyncClient,
    lanes: Lanes,
    names: Names,
) -> None:
    lane, snapshot = await lanes(), names("snapshots")
    await subscriber.create_snapshot(name=snapshot, subscription=lane.subscription)
    found = await publisher.list_topic_snapshots(topic=lane.topic)
    assert [name async for name in found] == [snapshot]


async def test_a_deleted_topic_leaves_its_subscriptions(
    publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient, lanes: Lanes
) -> None:
    lane = await lanes()
    await lane.publish(b"before")
    await publisher.delete_topic(topic=lane.topic)
    with pytest.raises(NotFound):
        await publisher.get_topic(topic=lane.topic)
    left = await subscriber.get_subscription(subscription=lane.subscription)
    assert left.topic == "_deleted-topic_"
    assert await lane.drain(1) == [b"before"]


async def test_a_topic_made_anew_has_none_of_the_old_subscriptions(
    publisher: PublisherAsyncClient, lanes: Lanes
) -> None:
    lane = await lanes()
    await publisher.delete_topic(topic=lane.topic)
    await publisher.create_topic(name=lane.topic)
    await lane.publish(b"lost")
    assert await lane.is_empty()


def test_the_synchronous_client_manages_topics(
    sync_publisher: PublisherClient, names: Names
) -> None:
    name = names("topics")
    sync_publisher.create_topic(name=name)
    assert sync_publisher.get_topic(topic=name).name == name
    sync_publisher.delete_topic(topic=name)
    with pytest.raises(NotFound):
        sync_publisher.delete_topic(topic=name)


def _mask(*paths: str) -> Any:
    return {"paths": paths}
