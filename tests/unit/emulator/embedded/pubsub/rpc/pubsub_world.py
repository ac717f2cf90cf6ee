"""Pub/Sub's service over a broker, as a client meets it but with no port in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from emulator.embedded.messages import pubsub_pb
from emulator.embedded.pubsub.broker import Broker
from emulator.embedded.pubsub.model import SECOND
from emulator.embedded.pubsub.rpc.service import PubSubService
from emulator.embedded.refusal import Refusal

TOPIC, NAME = "projects/p/topics/topic", "projects/p/subscriptions/sub"
PUBLISHER, SUBSCRIBER = "/google.pubsub.v1.Publisher/", "/google.pubsub.v1.Subscriber/"


class Context:
    """The little of a gRPC context that the handlers use."""

    def __init__(self, remaining: float | None = None) -> None:
        self.remaining = remaining
        self.trailers: Any = ()

    def time_remaining(self) -> float | None:
        return self.remaining

    def set_trailing_metadata(self, trailers: Any) -> None:
        self.trailers = trailers

    async def send_initial_metadata(self, metadata: Any) -> None: ...


class Stream:
    """One client of StreamingPull. `None` among the requests closes its side."""

    def __init__(self, handlers: Any, **first: Any) -> None:
        self._requests: asyncio.Queue[Any] = asyncio.Queue()
        self.send(**{"subscription": NAME, "stream_ack_deadline_seconds": 10, **first})
        self._responses = handlers[SUBSCRIBER + "StreamingPull"](self._sent(), Context())

    def send(self, **fields: Any) -> None:
        self._requests.put_nowait(pubsub_pb.StreamingPullRequest(**fields))

    def half_close(self) -> None:
        self._requests.put_nowait(None)

    async def next(self) -> Any:
        async with asyncio.timeout(5):
            return await anext(self._responses)

    async def ended(self) -> None:
        with pytest.raises(StopAsyncIteration):
            await self.next()

    async def refused(self) -> Refusal:
        """What the stream ends with; nothing may come before it."""
        with pytest.raises(Refusal) as caught:
            await self.next()
        return caught.value

    async def close(self) -> None:
        await self._responses.aclose()

    async def _sent(self) -> AsyncIterator[Any]:
        while (request := await self._requests.get()) is not None:
            yield request


class World:
    """The service as a client meets it, and its time."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND
        self.broker = Broker(lambda: self.now, random.Random(0))
        self.service = PubSubService(self.broker, clock=lambda: self.now)
        self.handlers = self.service.handlers()
        self.streams: list[Stream] = []

    async def call(self, method: str, request: Any, context: Context | None = None) -> Any:
        return await self.handlers[method](request, context or Context())

    async def subscribe(self, **fields: Any) -> None:
        await self.call(PUBLISHER + "CreateTopic", pubsub_pb.Topic(name=TOPIC))
        pb = pubsub_pb.Subscription(name=NAME, topic=TOPIC, **fields)
        await self.call(SUBSCRIBER + "CreateSubscription", pb)

    async def publish(self, *data: bytes) -> None:
        messages = [pubsub_pb.PubsubMessage(data=each) for each in data]
        request = pubsub_pb.PublishRequest(topic=TOPIC, messages=messages)
        await self.call(PUBLISHER + "Publish", request)

    async def acknowledge(self, *ack_ids: str, context: Context | None = None) -> None:
        request = pubsub_pb.AcknowledgeRequest(subscription=NAME, ack_ids=ack_ids)
        await self.call(SUBSCRIBER + "Acknowledge", request, context)

    async def pull(self, context: Context | None = None, **fields: Any) -> list[bytes]:
        request = pubsub_pb.PullRequest(**{"subscription": NAME, "max_messages": 10, **fields})
        return data_of(await self.call(SUBSCRIBER + "Pull", request, context))

    def stream(self, **first: Any) -> Stream:
        self.streams.append(Stream(self.handlers, **first))
        return self.streams[-1]


def data_of(response: Any) -> list[bytes]:
    return [received.message.data for received in response.received_messages]


def ids_of(response: Any) -> list[str]:
    return [received.ack_id for received in response.received_messages]


@asynccontextmanager
async def running() -> AsyncIterator[World]:
    """A world whose streams are closed at the end."""
    made = World()
    await made.service.start()
    yield made
    for stream in made.streams:
        await stream.close()
    await made.service.stop()
