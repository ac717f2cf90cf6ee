"""What a local Pub/Sub engine is made to do under measurement, through Google's own clients.

Knows no engine: the clients follow the environment in which they are constructed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1 import types as pubsub
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from emulator.serving import serve

Handler = Callable[[Request], Awaitable[Response]]
PROJECT = "projects/segue-bench"
_BATCH = 100
_IN_FLIGHT = 4
_LIMIT = 300.0


class PubSubLoad:
    """One engine's Pub/Sub; every method makes topics of its own."""

    def __init__(self) -> None:
        self._publisher = PublisherAsyncClient()
        self._subscriber = SubscriberAsyncClient()

    async def first_ack(self) -> None:
        """A message through a new topic, acknowledged."""
        subscription = await self._subscribed("first")
        await self._publish("first", [b"first"])
        answer = await self._subscriber.pull(subscription=subscription, max_messages=1)
        ack_ids = [received.ack_id for received in answer.received_messages]
        await self._subscriber.acknowledge(subscription=subscription, ack_ids=ack_ids)

    async def push_latencies(self, count: int) -> list[float]:
        """Seconds from publish to the endpoint, one message after another."""
        pushed: asyncio.Queue[float] = asyncio.Queue()

        async def endpoint(request: Request) -> Response:
            pushed.put_nowait(time.perf_counter())
            await request.body()
            return Response(status_code=204)

        found: list[float] = []
        async with asyncio.timeout(_LIMIT), _Endpoint(endpoint) as url:
            await self._subscribed("pushed", url)
            for _ in range(count):
                started = time.perf_counter()
                await self._publish("pushed", [b"x"])
                found.append(await pushed.get() - started)
        return found

    async def pushes_per_second(self, count: int) -> float:
        """Messages published at once, until the endpoint has seen them all."""
        done = asyncio.Event()
        seen: set[bytes] = set()

        async def endpoint(request: Request) -> Response:
            seen.add(await request.body())
            if len(seen) == count:
                done.set()
            return Response(status_code=204)

        async with asyncio.timeout(_LIMIT), _Endpoint(endpoint) as url:
            await self._subscribed("many-pushed", url)
            started = time.perf_counter()
            await self._publish("many-pushed", [b"%d" % number for number in range(count)])
            await done.wait()
            return count / (time.perf_counter() - started)

    async def published_per_second(self, count: int) -> float:
        """In batches of a hundred, several under way; they wait for `pulled_per_second`."""
        await self._subscribed("many")
        batches = [[b"x" * 100] * _BATCH] * (count // _BATCH)
        slots = asyncio.Semaphore(_IN_FLIGHT)

        async def one(batch: list[bytes]) -> None:
            async with slots:
                await self._publish("many", batch)

        started = time.perf_counter()
        await asyncio.gather(*(one(batch) for batch in batches))
        return count / (time.perf_counter() - started)

    async def pulled_per_second(self, count: int) -> float:
        """Streaming pull of what `published_per_second` left, every message acknowledged."""
        acks: asyncio.Queue[list[str]] = asyncio.Queue()
        subscription = f"{PROJECT}/subscriptions/many"

        async def requests() -> AsyncIterator[pubsub.StreamingPullRequest]:
            yield pubsub.StreamingPullRequest(
                subscription=subscription, stream_ack_deadline_seconds=60
            )
            while True:
                yield pubsub.StreamingPullRequest(ack_ids=await acks.get())

        started = time.perf_counter()
        pulled = 0
        async with asyncio.timeout(_LIMIT):
            stream: Any = await self._subscriber.streaming_pull(requests=requests())
            async for answer in stream:
                messages = pubsub.StreamingPullResponse.pb(answer).received_messages
                acks.put_nowait([message.ack_id for message in messages])
                pulled += len(messages)
                if pulled >= count:
                    break
            stream.cancel()
        return pulled / (time.perf_counter() - started)

    async def _publish(self, topic: str, bodies: list[bytes]) -> None:
        messages = [pubsub.PubsubMessage(data=body) for body in bodies]
        await self._publisher.publish(topic=f"{PROJECT}/topics/{topic}", messages=messages)

    async def _subscribed(self, name: str, endpoint: str = "") -> str:
        topic, subscription = f"{PROJECT}/topics/{name}", f"{PROJECT}/subscriptions/{name}"
        await self._publisher.create_topic(name=topic)
        push = pubsub.PushConfig(push_endpoint=endpoint)
        await self._subscriber.create_subscription(
            pubsub.Subscription(
                name=subscription, topic=topic, ack_deadline_seconds=60, push_config=push
            )
        )
        return subscription


class _Endpoint:
    """`async with _Endpoint(handler) as url:` serves the handler."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __aenter__(self) -> str:
        self._served = await serve(Starlette(routes=[Route("/", self._handler, methods=["POST"])]))
        return self._served.url

    async def __aexit__(self, *_: object) -> None:
        await self._served.stop()
