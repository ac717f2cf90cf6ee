"""Snapshots: https://cloud.google.com/pubsub/docs/replay-overview#seek_to_a_snapshot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from google.api_core.exceptions import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from google.pubsub_v1 import SubscriberAsyncClient
from google.pubsub_v1.types import Snapshot

from tests.conformance.pubsub.conftest import Lanes
from tests.conformance.pubsub.lane import Lane

Names = Callable[[str], str]


async def snapshot_of(lane: Lane, name: str) -> Snapshot:
    return await lane.subscriber.create_snapshot(name=name, subscription=lane.subscription)


async def seek(lane: Lane, snapshot: str) -> None:
    await lane.subscriber.seek({"subscription": lane.subscription, "snapshot": snapshot})


async def test_a_snapshot_replays_what_was_open_and_what_came_later(
    lane: Lane, names: Names
) -> None:
    await lane.publish(b"done")
    await lane.drain(1)
    await lane.publish(b"open")
    snapshot = await snapshot_of(lane, names("snapshots"))
    await lane.publish(b"later")
    assert sorted(await lane.drain(2)) == [b"later", b"open"]
    for _ in range(2):
        await seek(lane, snapshot.name)
        assert sorted(await lane.drain(2)) == [b"later", b"open"]
    assert await lane.is_empty()


async def test_a_snapshot_counts_a_leased_message_as_open(lane: Lane, names: Names) -> None:
    await lane.publish(b"leased")
    received = await lane.pull(1)
    snapshot = await snapshot_of(lane, names("snapshots"))
    await lane.ack(received)
    await seek(lane, snapshot.name)
    assert await lane.drain(1) == [b"leased"]


async def test_a_snapshot_serves_another_subscription_of_its_topic(
    lanes: Lanes, names: Names
) -> None:
    first = await lanes()
    second = await lanes(topic=first.topic)
    await first.publish(b"x")
    snapshot = await snapshot_of(first, names("snapshots"))
    await second.drain(1)
    await seek(second, snapshot.name)
    assert await second.drain(1) == [b"x"]


async def test_a_snapshot_of_another_topic_is_refused(lanes: Lanes, names: Names) -> None:
    snapshot = await snapshot_of(await lanes(), names("snapshots"))
    with pytest.raises((InvalidArgument, FailedPrecondition)):
        await seek(await lanes(), snapshot.name)


async def test_a_snapshot_can_be_read(
    subscriber: SubscriberAsyncClient, lane: Lane, names: Names
) -> None:
    name = names("snapshots")
    made = await subscriber.create_snapshot(
        {"name": name, "subscription": lane.subscription, "labels": {"a": "b"}}
    )
    found = await subscriber.get_snapshot(snapshot=name)
    assert found == made
    assert (found.name, found.topic, dict(found.labels)) == (name, lane.topic, {"a": "b"})


async def test_a_snapshot_expires_within_a_week(lane: Lane, names: Names) -> None:
    made = await snapshot_of(lane, names("snapshots"))
    lifetime = made.expire_time - datetime.now(UTC)
    assert timedelta(days=6) < lifetime <= timedelta(days=7, minutes=1)


async def test_a_snapshot_is_made_once(lane: Lane, names: Names) -> None:
    made = await snapshot_of(lane, names("snapshots"))
    with pytest.raises(AlreadyExists):
        await snapshot_of(lane, made.name)


async def test_a_snapshot_needs_its_subscription(
    subscriber: SubscriberAsyncClient, names: Names
) -> None:
    with pytest.raises(NotFound):
        await subscriber.create_snapshot(
            name=names("snapshots"), subscription=names("subscriptions")
        )


async def test_the_labels_of_a_snapshot_change(
    subscriber: SubscriberAsyncClient, lane: Lane, names: Names
) -> None:
    made = await snapshot_of(lane, names("snapshots"))
    await subscriber.update_snapshot(
        {
            "snapshot": {"name": made.name, "labels": {"c": "d"}},
            "update_mask": {"paths": ["labels"]},
        }
    )
    assert dict((await subscriber.get_snapshot(snapshot=made.name)).labels) == {"c": "d"}


async def test_a_deleted_snapshot_is_gone(
    subscriber: SubscriberAsyncClient, lane: Lane, names: Names
) -> None:
    made = await snapshot_of(lane, names("snapshots"))
    await subscriber.delete_snapshot(snapshot=made.name)
    with pytest.raises(NotFound):
        await subscriber.get_snapshot(snapshot=made.name)
    with pytest.raises(NotFound):
        await subscriber.delete_snapshot(snapshot=made.name)
    with pytest.raises(NotFound):
        await seek(lane, made.name)


async def test_snapshots_are_listed(
    subscriber: SubscriberAsyncClient, lane: Lane, names: Names, project: str
) -> None:
    made = {(await snapshot_of(lane, names("snapshots"))).name for _ in range(3)}
    request = {"project": f"projects/{project}", "page_size": 2}
    found = {each.name async for each in await subscriber.list_snapshots(request)}
    assert found >= made
