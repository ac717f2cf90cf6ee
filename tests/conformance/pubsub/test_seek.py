"""Seeking to a time: https://cloud.google.com/pubsub/docs/replay-overview."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.api_core.exceptions import InvalidArgument, NotFound
from google.pubsub_v1 import SubscriberAsyncClient

from tests.conformance.pubsub.conftest import Lanes
from tests.conformance.pubsub.lane import Lane, data


async def seek(lane: Lane, at: datetime) -> None:
    await lane.subscriber.seek({"subscription": lane.subscription, "time": at})


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


async def test_seeking_back_delivers_acknowledged_messages_again(lanes: Lanes) -> None:
    lane = await lanes(retain_acked_messages=True)
    await lane.publish(b"1", b"2")
    assert sorted(await lane.drain(2)) == [b"1", b"2"]
    await seek(lane, ago(minutes=5))
    assert sorted(await lane.drain(2)) == [b"1", b"2"]
    assert await lane.is_empty()


async def test_seeking_back_without_retention_brings_no_acknowledged_message(lane: Lane) -> None:
    await lane.publish(b"done", b"open")
    received = await lane.pull(2)
    await lane.ack(each for each in received if each.message.data == b"done")
    await seek(lane, ago(minutes=5))
    await lane.lease([each for each in received if each.message.data == b"open"], 0)
    assert await lane.drain(1) == [b"open"]
    assert await lane.is_empty()


async def test_seeking_forward_acknowledges_all(lane: Lane) -> None:
    await lane.publish(b"1", b"2")
    await seek(lane, ago(minutes=-5))
    assert await lane.is_empty()


async def test_seeking_between_two_messages_delivers_the_later(lanes: Lanes) -> None:
    lane = await lanes(retain_acked_messages=True)
    await lane.publish(b"early")
    [early] = await lane.pull(1)
    await lane.ack([early])
    await asyncio.sleep(0.05)
    await lane.publish(b"late")
    await lane.drain(1)
    await seek(lane, early.message.publish_time + timedelta(milliseconds=20))
    assert await lane.drain(1) == [b"late"]
    assert await lane.is_empty()


async def test_what_is_published_after_seeking_arrives(lane: Lane) -> None:
    await lane.publish(b"old")
    await seek(lane, ago(seconds=-0.05))
    await asyncio.sleep(0.1)
    await lane.publish(b"new")
    assert data(await lane.pull(1)) == [b"new"]


async def test_a_retaining_topic_feeds_a_subscription_that_seeks_back(lanes: Lanes) -> None:
    first = await lanes()
    topic = {"name": first.topic, "message_retention_duration": timedelta(hours=1)}
    await first.publisher.update_topic(
        topic=topic, update_mask={"paths": ["message_retention_duration"]}
    )
    await first.publish(b"before")
    later = await lanes(topic=first.topic)
    await seek(later, ago(minutes=5))
    assert await later.drain(1) == [b"before"]


async def test_a_missing_subscription_does_not_seek(
    subscriber: SubscriberAsyncClient, lane: Lane
) -> None:
    with pytest.raises(NotFound):
        await subscriber.seek({"subscription": lane.subscription + "-no", "time": ago(days=1)})


async def test_a_seek_has_a_target(subscriber: SubscriberAsyncClient, lane: Lane) -> None:
    with pytest.raises(InvalidArgument):
        await subscriber.seek({"subscription": lane.subscription})
