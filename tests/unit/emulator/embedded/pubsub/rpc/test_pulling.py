"""Pull, Acknowledge and what they refuse, over a broker, with no port in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from emulator.embedded.messages import pubsub_pb
from emulator.embedded.refusal import Refusal, Status
from tests.unit.emulator.embedded.pubsub.rpc.pubsub_world import (
    NAME,
    SUBSCRIBER,
    Context,
    World,
    running,
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as made:
        yield made


async def test_a_stale_unary_acknowledgement_fails_only_with_exactly_once(world: World) -> None:
    await world.subscribe()
    await world.acknowledge("1-999")
    world.broker.update_subscription(
        _exactly_once(world.broker.get_subscription(NAME)), ["enable_exactly_once_delivery"]
    )
    context = Context()
    with pytest.raises(Refusal) as caught:
        await world.acknowledge("1-999", context=context)
    assert caught.value.status is Status.INVALID_ARGUMENT
    [(name, details)] = context.trailers
    assert name == "grpc-status-details-bin"
    assert b"PERMANENT_FAILURE_INVALID_ACK_ID" in details


def _exactly_once(subscription: Any) -> Any:
    return type(subscription)(subscription.name, subscription.topic, exactly_once=True)


async def test_a_pull_waits_for_a_message(world: World) -> None:
    await world.subscribe()
    pulling = asyncio.create_task(world.pull())
    await asyncio.sleep(0.01)
    assert not pulling.done()
    await world.publish(b"1")
    async with asyncio.timeout(5):
        assert await pulling == [b"1"]


async def test_a_pull_answers_before_its_client_gives_up(world: World) -> None:
    await world.subscribe()
    async with asyncio.timeout(5):
        assert await world.pull(Context(remaining=0.05)) == []


async def test_a_pull_of_no_messages_is_refused(world: World) -> None:
    await world.subscribe()
    for count in (0, -1):
        with pytest.raises(Refusal):
            await world.pull(max_messages=count)


async def test_a_publish_request_over_ten_megabytes_is_refused(world: World) -> None:
    await world.subscribe()
    with pytest.raises(Refusal) as caught:
        await world.publish(b"x" * 9_999_999)
    assert "request_size is too large" in caught.value.message
    await world.publish(b"x" * 9_999_000)


async def test_an_acknowledgement_request_over_512_kib_is_refused(world: World) -> None:
    await world.subscribe()
    ack_ids = [f"1-{number:020}" for number in range(22_000)]
    with pytest.raises(Refusal) as caught:
        await world.acknowledge(*ack_ids)
    assert caught.value.message == "Request payload size exceeds the limit: 524288 bytes."
    await world.acknowledge(*ack_ids[:21_000])


async def test_what_has_no_target_or_no_ack_ids_is_refused(world: World) -> None:
    await world.subscribe()
    with pytest.raises(Refusal):
        await world.acknowledge()
    with pytest.raises(Refusal):
        await world.call(SUBSCRIBER + "Seek", pubsub_pb.SeekRequest(subscription=NAME))
