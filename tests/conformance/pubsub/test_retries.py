"""Back-off between deliveries: https://cloud.google.com/pubsub/docs/handling-failures#retry_policy.

Lower bounds alone: an engine may always be slower.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

from tests.conformance.pubsub.conftest import Lanes, Streams
from tests.conformance.pubsub.hook import Hook
from tests.conformance.pubsub.lane import Lane, data

SLACK = 0.9  # clocks of two processes
POLICY = {"minimum_backoff": timedelta(seconds=1), "maximum_backoff": timedelta(seconds=2)}


async def test_without_a_policy_a_nacked_message_comes_at_once(lane: Lane) -> None:
    await lane.publish(b"x")
    for _ in range(5):
        await lane.lease(await lane.pull(1), 0)
    assert data(await lane.pull(1)) == [b"x"]


async def test_a_pulled_message_comes_again_after_the_back_off(lanes: Lanes) -> None:
    async def when_nacked() -> None:
        lane = await lanes(retry_policy=POLICY)
        await lane.publish(b"x")
        gaps = await _gaps(lane, 2, nack_in=0)
        assert min(gaps) >= SLACK
        assert max(gaps[1:]) > gaps[0] * 1.2

    async def when_its_lease_ended() -> None:
        lane = await lanes(retry_policy=POLICY)
        await lane.publish(b"x")
        assert min(await _gaps(lane, 1, nack_in=1)) >= 1 + SLACK

    await asyncio.gather(when_nacked(), when_its_lease_ended())


async def test_others_do_not_wait_for_a_message_that_backs_off(lanes: Lanes) -> None:
    lane = await lanes(retry_policy=POLICY)
    await lane.publish(b"x")
    await lane.lease(await lane.pull(1), 0)
    await lane.publish(b"y")
    assert data(await lane.pull(1)) == [b"y"]


async def test_a_streamed_message_comes_again_after_the_back_off(
    lanes: Lanes, streams: Streams
) -> None:
    lane = await lanes(retry_policy=POLICY)
    await lane.publish(b"x")
    stream = streams(lane)
    stream.lease(await stream.read(1), 0)
    began = time.monotonic()
    await stream.read(1)
    assert time.monotonic() - began >= SLACK


async def test_a_push_comes_again_after_the_back_off(lanes: Lanes, hook: Hook) -> None:
    hook.answer = lambda _: 500 if len(hook.pushed) < 2 else 200
    push: dict[str, Any] = {"push_endpoint": hook.url}
    lane = await lanes(push_config=push, retry_policy=POLICY)
    await lane.publish(b"x")
    await hook.received(2)
    assert all(gap >= SLACK for gap in hook.gaps())


async def _gaps(lane: Lane, count: int, *, nack_in: int) -> list[float]:
    received = await lane.pull(1)
    gaps: list[float] = []
    for _ in range(count):
        await lane.lease(received, nack_in)
        began = time.monotonic()
        received = await lane.pull(1)
        gaps.append(time.monotonic() - began)
    return gaps
