"""Ordered delivery: https://cloud.google.com/pubsub/docs/ordering."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from google.pubsub_v1.types import PubsubMessage

from tests.conformance.pubsub.conftest import Lanes, Streams
from tests.conformance.pubsub.hook import Hook
from tests.conformance.pubsub.lane import Lane, data


@pytest_asyncio.fixture(loop_scope="session")
async def ordered(lanes: Lanes) -> Lane:
    return await lanes(enable_message_ordering=True)


def keyed(key: str, *sent: bytes) -> list[PubsubMessage]:
    return [PubsubMessage(data=each, ordering_key=key) for each in sent]


SENT = [str(number).encode() for number in range(9)]


async def test_messages_of_a_key_are_pulled_in_their_order(ordered: Lane) -> None:
    for each in keyed("key", *SENT):
        await ordered.publish(each)
    assert await ordered.drain(len(SENT)) == SENT


async def test_messages_of_a_key_are_streamed_in_their_order(
    ordered: Lane, streams: Streams
) -> None:
    await ordered.publish(*keyed("key", *SENT))
    stream = streams(ordered)
    found: list[bytes] = []
    while len(found) < len(SENT):
        received = await stream.read(1)
        stream.ack(received)
        found += data(received)
    assert found == SENT


async def test_a_nacked_message_comes_again_before_those_after_it(ordered: Lane) -> None:
    await ordered.publish(*keyed("key", b"1", b"2", b"3"))
    first, *others = await ordered.pull(1)
    await ordered.lease([first, *others], 0)
    assert await ordered.drain(3) == [b"1", b"2", b"3"]


async def test_one_key_does_not_wait_for_another(ordered: Lane) -> None:
    await ordered.publish(*keyed("one", b"1"))
    assert data(await ordered.pull(1)) == [b"1"]
    await ordered.publish(*keyed("one", b"2"), *keyed("two", b"x"), PubsubMessage(data=b"free"))
    found = set[bytes]()
    while not found >= {b"x", b"free"}:
        received = await ordered.pull(1)
        found |= set(data(received))


async def test_a_subscription_without_ordering_shows_the_key(lane: Lane) -> None:
    await lane.publish(*keyed("key", b"x"))
    [found] = await lane.pull(1)
    assert found.message.ordering_key == "key"


async def test_a_failed_push_holds_back_those_after_it(lanes: Lanes, hook: Hook) -> None:
    hook.answer = lambda _: 500 if len(hook.pushed) < 3 else 200
    push: dict[str, Any] = {"push_endpoint": hook.url}
    lane = await lanes(enable_message_ordering=True, push_config=push)
    await lane.publish(*keyed("key", b"1", b"2", b"3"))
    pushed = await hook.received(5)
    assert [each.data for each in pushed] == [b"1", b"1", b"1", b"2", b"3"]


async def test_a_failed_push_holds_back_no_other_key(lanes: Lanes, hook: Hook) -> None:
    hook.answer = lambda pushed: 500 if pushed.data == b"bad" else 200
    push: dict[str, Any] = {"push_endpoint": hook.url}
    lane = await lanes(enable_message_ordering=True, push_config=push)
    await lane.publish(*keyed("one", b"bad", b"after"), *keyed("two", b"x", b"y"))
    while len([each for each in hook.pushed if each.data != b"bad"]) < 2:
        await hook.received(len(hook.pushed) + 1)
    assert [each.data for each in hook.pushed if each.data != b"bad"] == [b"x", b"y"]


@pytest.mark.parametrize("times", [1, 2])
async def test_order_survives_seeking_back(lanes: Lanes, times: int) -> None:
    lane = await lanes(enable_message_ordering=True, retain_acked_messages=True)
    await lane.publish(*keyed("key", *SENT))
    for _ in range(times):
        assert await lane.drain(len(SENT)) == SENT
        await lane.subscriber.seek({"subscription": lane.subscription, "time": {"seconds": 1}})
    assert await lane.drain(len(SENT)) == SENT
