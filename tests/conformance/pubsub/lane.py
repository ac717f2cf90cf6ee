"""One topic with one subscription, and one open stream, driven by the unmodified GAPIC clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from google.api_core.exceptions import DeadlineExceeded
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.types import (
    PubsubMessage,
    ReceivedMessage,
    StreamingPullRequest,
    StreamingPullResponse,
)

PATIENCE = 6.0  # seconds that anything may take on a busy machine


@dataclass(frozen=True)
class Lane:
    """A topic and a subscription that no other test knows."""

    publisher: PublisherAsyncClient
    subscriber: SubscriberAsyncClient
    topic: str
    subscription: str

    async def publish(self, *messages: bytes | PubsubMessage) -> list[str]:
        """Publish in one request; the ids in the order of the messages."""
        sent = [PubsubMessage(data=each) if isinstance(each, bytes) else each for each in messages]
        answer = await self.publisher.publish(topic=self.topic, messages=sent)
        return list(answer.message_ids)

    async def pull_once(self, limit: int = 100, *, within: float = PATIENCE) -> Received:
        """What one request brings; nothing where it is still waiting when the time is up."""
        try:
            answer = await self.subscriber.pull(
                subscription=self.subscription, max_messages=limit, timeout=within, retry=None
            )
        except DeadlineExceeded:
            return []
        return list(answer.received_messages)

    async def pull(self, count: int, *, within: float = PATIENCE) -> Received:
        """Pull until so many have come; more at once are handed out too."""
        found: Received = []
        async with asyncio.timeout(within):
            while len(found) < count:
                found += await self.pull_once()
        return found

    async def drain(self, count: int) -> list[bytes]:
        """Pull and acknowledge until so many have come; their data."""
        found: list[bytes] = []
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                received = await self.pull_once()
                await self.ack(received)
                found += data(received)
        return found

    async def is_empty(self, *, within: float = 0.4) -> bool:
        """Whether nothing is delivered within the time, in seconds."""
        return not await self.pull_once(within=within)

    async def ack(self, received: Iterable[ReceivedMessage]) -> None:
        """Acknowledge what was pulled."""
        if ids := ack_ids(received):
            await self.subscriber.acknowledge(subscription=self.subscription, ack_ids=ids)

    async def lease(self, received: Iterable[ReceivedMessage], seconds: int) -> None:
        """Let the leases of what was pulled end in so many seconds; 0 is a nack."""
        await self.subscriber.modify_ack_deadline(
            subscription=self.subscription,
            ack_ids=ack_ids(received),
            ack_deadline_seconds=seconds,
        )


Received = list[ReceivedMessage]


def ack_ids(received: Iterable[ReceivedMessage]) -> list[str]:
    return [each.ack_id for each in received]


def data(received: Iterable[ReceivedMessage]) -> list[bytes]:
    return [each.message.data for each in received]


class Stream:
    """An open streaming pull. What arrives is read with `read`, what is said with `send`."""

    def __init__(self, lane: Lane, **opening: Any) -> None:
        self._lane = lane
        self._requests: asyncio.Queue[StreamingPullRequest] = asyncio.Queue()
        self._call: Any = None
        self._answers: Any = None
        self.last = StreamingPullResponse()
        self.send(
            **{"subscription": lane.subscription, "stream_ack_deadline_seconds": 10} | opening
        )

    def send(self, **request: Any) -> None:
        """Say something on the stream: acks, deadlines."""
        self._requests.put_nowait(StreamingPullRequest(request))

    def ack(self, received: Iterable[ReceivedMessage]) -> None:
        """Acknowledge on the stream."""
        self.send(ack_ids=ack_ids(received))

    def lease(self, received: Iterable[ReceivedMessage], seconds: int) -> None:
        """Let leases end in so many seconds; 0 is a nack."""
        ids = ack_ids(received)
        self.send(modify_deadline_ack_ids=ids, modify_deadline_seconds=[seconds] * len(ids))

    async def read(self, count: int, *, within: float = PATIENCE) -> Received:
        """Read until so many have come; where the time is up, the stream ends with fewer."""
        found: Received = []
        try:
            async with asyncio.timeout(within):
                while len(found) < count:
                    found += (await self._next()).received_messages
        except TimeoutError:
            self.close()
        return found

    async def answer(self, wanted: Callable[[StreamingPullResponse], Any]) -> StreamingPullResponse:
        """Read until such an answer has come."""
        async with asyncio.timeout(PATIENCE):
            while not wanted(answer := await self._next()):
                continue
        return answer

    async def _next(self) -> StreamingPullResponse:
        if self._call is None:
            self._call = await self._lane.subscriber.streaming_pull(
                requests=_Outgoing(self._requests)
            )
            self._answers = aiter(self._call)
        self.last = await anext(self._answers)
        return self.last

    def close(self) -> None:
        """End the stream, if it was ever opened."""
        if self._call is not None:
            self._call.cancel()


class _Outgoing:
    # No generator: the client would close it while it still waits in it.
    def __init__(self, requests: asyncio.Queue[StreamingPullRequest]) -> None:
        self._requests = requests

    def __aiter__(self) -> _Outgoing:
        return self

    async def __anext__(self) -> StreamingPullRequest:
        return await self._requests.get()
