"""Push delivery over a broker, with a function for an endpoint and a clock moved by hand."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from emulator.embedded.pubsub.broker import Broker
from emulator.embedded.pubsub.model import (
    SECOND,
    DeadLetterPolicy,
    Message,
    Push,
    RetryPolicy,
    Subscription,
    Topic,
)
from emulator.embedded.pubsub.rpc.dispatch import Dispatcher
from emulator.embedded.pubsub.rpc.push_request import PushRequest
from shared.domain.starts.priorities import PRIORITY, filters

TOPIC, DEAD = "projects/p/topics/topic", "projects/p/topics/dead"
NAME, BURIED = "projects/p/subscriptions/pushed", "projects/p/subscriptions/buried"
Answer = Callable[[PushRequest], Any]


class Endpoint:
    """Records what arrives; `answer` decides, or hands out something to wait for."""

    def __init__(self) -> None:
        self.received: list[PushRequest] = []
        self.answer: Answer = lambda _: True
        self._news = asyncio.Condition()

    async def __call__(self, request: PushRequest) -> bool:
        self.received.append(request)
        async with self._news:
            self._news.notify_all()
        answer = self.answer(request)
        return await answer if asyncio.isfuture(answer) else answer

    async def reached(self, count: int) -> None:
        async with asyncio.timeout(5), self._news:
            await self._news.wait_for(lambda: len(self.received) >= count)

    def bodies(self) -> list[str]:
        return [json.loads(request.body)["message"]["attributes"]["n"] for request in self.received]

    def attempts(self) -> list[int]:
        return [json.loads(request.body)["deliveryAttempt"] for request in self.received]


class World:
    """A broker that pushes to one endpoint, and its time."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND
        self.endpoint = Endpoint()
        self.broker = Broker(lambda: self.now, random.Random(0))
        self.dispatcher = Dispatcher(self.broker, self.endpoint, lambda: self.now, in_flight=3)
        self.broker.on_available = self.dispatcher.ring
        for topic in (TOPIC, DEAD):
            self.broker.create_topic(Topic(topic))

    def subscribe(self, name: str = NAME, topic: str = TOPIC, **settings: Any) -> None:
        push = Push("http://here")
        self.broker.create_subscription(Subscription(name, topic, push=push, **settings))

    def publish(self, *numbers: str, key: str = "") -> None:
        self.broker.publish(TOPIC, [Message("", b"", {"n": n}, 0, key) for n in numbers])

    def later(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
        self.dispatcher.touched()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    made.dispatcher.stop()


async def settled() -> None:
    """Long enough for everything that is due to happen."""
    await asyncio.sleep(0.02)


async def test_a_message_is_pushed_once_and_its_success_acknowledges_it(world: World) -> None:
    world.subscribe()
    world.publish("1")
    await world.endpoint.reached(1)
    await settled()
    world.later(3600)
    await settled()
    assert world.endpoint.bodies() == ["1"]
    assert world.broker.pull(NAME, 1) == []


async def test_what_is_refused_comes_again_when_the_back_off_has_passed(world: World) -> None:
    world.subscribe(
        retry=RetryPolicy(4 * SECOND, 60 * SECOND), dead_letter=DeadLetterPolicy(DEAD, 9)
    )
    world.endpoint.answer = lambda _: len(world.endpoint.received) > 2
    world.publish("1")
    await world.endpoint.reached(1)
    await settled()
    assert world.endpoint.attempts() == [1]
    for count, seconds in ((2, 4), (3, 8)):
        world.later(seconds)
        await world.endpoint.reached(count)
    await settled()
    world.later(3600)
    await settled()
    assert world.endpoint.attempts() == [1, 2, 3]


async def test_a_flood_of_one_priority_does_not_keep_another_waiting(world: World) -> None:
    """The filters are those of the stages; nothing that is low ever ends."""
    for priority, chosen in filters(None).items():
        world.subscribe(f"{NAME}-{priority}", filter=chosen)
    world.endpoint.answer = lambda _: asyncio.get_running_loop().create_future()
    flood = [Message("", b"", {"n": "low", PRIORITY: "low"}, 0, "") for _ in range(200)]
    world.broker.publish(TOPIC, flood)
    await world.endpoint.reached(3)
    world.broker.publish(TOPIC, [Message("", b"", {"n": "high", PRIORITY: "high"}, 0, "")])
    world.publish("normal")
    await world.endpoint.reached(5)
    await settled()
    assert world.endpoint.bodies() == ["low", "low", "low", "high", "normal"]


async def test_no_more_than_the_limit_are_under_way_and_the_next_starts_when_one_ends(
    world: World,
) -> None:
    gates = [asyncio.get_running_loop().create_future() for _ in range(5)]
    world.endpoint.answer = lambda _: gates[len(world.endpoint.received) - 1]
    world.subscribe()
    world.publish("1", "2", "3", "4", "5")
    await world.endpoint.reached(3)
    await settled()
    assert world.endpoint.bodies() == ["1", "2", "3"]
    gates[1].set_result(True)
    await world.endpoint.reached(4)
    for gate in gates:
        if not gate.done():
            gate.set_result(True)
    await world.endpoint.reached(5)
    await settled()
    assert world.endpoint.bodies() == ["1", "2", "3", "4", "5"]


async def test_messages_of_one_key_are_pushed_one_after_the_other(world: World) -> None:
    gates = {n: asyncio.get_running_loop().create_future() for n in "123"}
    world.endpoint.answer = lambda _: gates[world.endpoint.bodies()[-1]]
    world.subscribe(ordered=True)
    world.publish("1", "2", key="k")
    world.publish("3", key="other")
    await world.endpoint.reached(2)
    await settled()
    assert world.endpoint.bodies() == ["1", "3"]
    gates["1"].set_result(True)
    await world.endpoint.reached(3)
    assert world.endpoint.bodies() == ["1", "3", "2"]


async def test_a_new_endpoint_takes_what_waits_for_its_next_attempt(world: World) -> None:
    world.subscribe(retry=RetryPolicy(10 * SECOND, 10 * SECOND))
    world.endpoint.answer = lambda request: request.url == "http://there"
    world.publish("1")
    await world.endpoint.reached(1)
    await settled()
    world.broker.modify_push(NAME, Push("http://there"))
    world.later(10)
    await world.endpoint.reached(2)
    assert [request.url for request in world.endpoint.received] == ["http://here", "http://there"]


async def test_without_an_endpoint_messages_wait_to_be_pulled(world: World) -> None:
    world.subscribe()
    world.broker.modify_push(NAME, None)
    world.publish("1")
    await settled()
    assert world.endpoint.received == []
    assert len(world.broker.pull(NAME, 5)) == 1


async def test_an_endpoint_that_comes_later_gets_what_waits(world: World) -> None:
    world.subscribe()
    world.broker.modify_push(NAME, None)
    world.publish("1")
    await settled()
    world.broker.modify_push(NAME, Push("http://there"))
    await world.endpoint.reached(1)


@pytest.mark.parametrize("end", ["delete_subscription", "detach_subscription"])
async def test_a_subscription_that_ends_during_a_push_harms_nothing(world: World, end: str) -> None:
    gate = asyncio.get_running_loop().create_future()
    world.endpoint.answer = lambda _: gate
    world.subscribe()
    world.publish("1")
    await world.endpoint.reached(1)
    getattr(world.broker, end)(NAME)
    gate.set_result(False)
    world.publish("2")
    await settled()
    assert world.endpoint.bodies() == ["1"]


async def test_an_answer_after_the_lease_has_ended_counts_no_more(world: World) -> None:
    gates = [asyncio.get_running_loop().create_future() for _ in range(2)]
    world.endpoint.answer = lambda _: gates[len(world.endpoint.received) - 1]
    world.subscribe(dead_letter=DeadLetterPolicy(DEAD, 9))
    world.publish("1")
    await world.endpoint.reached(1)
    world.later(10)
    await settled()
    gates[0].set_result(True)
    world.later(1)
    await world.endpoint.reached(2)
    assert world.endpoint.attempts() == [1, 2]


async def test_the_last_failed_attempt_is_pushed_to_whoever_buries(world: World) -> None:
    world.subscribe(dead_letter=DeadLetterPolicy(DEAD, 5), retry=RetryPolicy(SECOND, SECOND))
    world.subscribe(BURIED, DEAD)
    world.endpoint.answer = lambda request: BURIED.encode() in request.body
    world.publish("1")
    for count in range(1, 6):
        await world.endpoint.reached(count)
        await settled()
        world.later(1)
    await world.endpoint.reached(6)
    buried = json.loads(world.endpoint.received[5].body)
    assert buried["subscription"] == BURIED
    assert buried["message"]["attributes"]["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"


async def test_an_error_of_the_sender_is_a_refusal(world: World) -> None:
    def broken(_request: PushRequest) -> bool:
        world.endpoint.answer = lambda _: True
        raise RuntimeError

    world.endpoint.answer = broken
    world.subscribe()
    world.publish("1")
    await world.endpoint.reached(1)
    await settled()
    world.later(1)
    await world.endpoint.reached(2)
    assert world.endpoint.bodies() == ["1", "1"]


async def test_after_a_reset_old_pushes_are_gone_and_new_ones_work(world: World) -> None:
    world.endpoint.answer = lambda _: asyncio.get_running_loop().create_future()
    world.subscribe()
    world.publish("1", "2", "3", "4")
    await world.endpoint.reached(3)
    world.dispatcher.reset()
    world.broker.reset()
    world.endpoint.answer = lambda _: True
    world.broker.create_topic(Topic(TOPIC))
    world.subscribe()
    world.publish("5")
    await world.endpoint.reached(4)
    assert world.endpoint.bodies() == ["1", "2", "3", "5"]


async def test_nothing_is_pushed_after_a_stop(world: World) -> None:
    world.subscribe()
    world.dispatcher.stop()
    world.publish("1")
    world.later(3600)
    await settled()
    assert world.endpoint.received == []


async def test_what_the_clock_reaches_is_announced_before_it_happens(world: World) -> None:
    announced = []
    dispatcher = Dispatcher(
        world.broker,
        world.endpoint,
        lambda: world.now,
        before_advance=lambda: announced.append(world.broker.list_subscriptions("projects/p")),
    )
    day = 86_400
    world.broker.create_subscription(
        Subscription(BURIED, DEAD, expires_after=7 * day * SECOND, retention=600 * SECOND)
    )
    world.now += 7 * day * SECOND
    dispatcher.touched()
    await settled()
    dispatcher.stop()
    assert [subscription.name for subscription in announced[0]] == [BURIED]
    assert world.broker.list_subscriptions("projects/p") == []
