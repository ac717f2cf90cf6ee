"""Measures the floor, one run at a time, and many at once, on a running local system."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1 import types as pubsub

from emulator.child import Child
from emulator.foreground import tail
from emulator.serving import free_port
from shared.client.local_state import State

FUNCTION = Path(__file__).with_name("empty_function.py")
HOPS = 5  # of the joke flow: route, compose, generate, compose, generate
_LAST_STEP = "critique"


@dataclass(frozen=True)
class Spread:
    """Milliseconds."""

    p50: float
    p95: float

    @classmethod
    def of(cls, seconds: list[float]) -> Spread:
        ordered = sorted(seconds)
        return cls(statistics.median(ordered) * 1000, ordered[int(len(ordered) * 0.95) - 1] * 1000)


class Meter:
    """Publishes and takes times; finds out what finished from the stages' log lines."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._project = state.environment["GOOGLE_CLOUD_PROJECT"]
        self._publisher = PublisherAsyncClient()
        self._ended: dict[str, asyncio.Future[float]] = {}

    async def floor(self, count: int) -> Spread:
        """Publish -> push -> empty function -> ack, one message after another."""
        async with self._empty_function() as log:
            times = [await self._one_empty(number, log) for number in range(count + 3)]
        return Spread.of(times[3:])  # the first ones warm connections and the JVM

    async def one_at_a_time(self, count: int) -> Spread:
        """A hop of the joke flow: a run's time from publish to its end, over its hops."""
        async with self._watched_log():
            times = [await self._one_run(f"single-{number}") for number in range(count + 3)]
        return Spread.of([seconds / HOPS for seconds in times[3:]])

    async def many_at_once(
        self, count: int, concurrency: int, label: str, done: Callable[[], None]
    ) -> float:
        """Runs per second with `concurrency` in flight."""
        slots = asyncio.Semaphore(concurrency)

        async def one(number: int) -> None:
            async with slots:
                await self._one_run(f"{label}-{number}")
                done()

        async with self._watched_log():
            started = time.monotonic()
            await asyncio.gather(*(one(number) for number in range(count)))
            return count / (time.monotonic() - started)

    # -- runs -------------------------------------------------------------------------------

    async def _one_run(self, event_id: str) -> float:
        ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._ended[event_id] = ended
        started = time.time()
        attributes = {"ce-type": "joke.requested", "ce-id": event_id, "correlationid": event_id}
        await self._publish("segue-events", b'{"topic": "pirates"}', attributes)
        return await asyncio.wait_for(ended, 300) - started

    @asynccontextmanager
    async def _watched_log(self) -> AsyncIterator[None]:
        watching = asyncio.create_task(self._watch())
        await asyncio.sleep(0.2)  # it reads from the log's present end
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        async for entry in tail(Path(self._state.log), from_start=False):
            if entry.labels.get("step") != _LAST_STEP or entry.outcome != "succeeded":
                continue
            ended = self._ended.pop(entry.labels["correlation_id"], None)
            if ended is not None and not ended.done():
                ended.set_result(entry.started.timestamp() + entry.duration_ms / 1000)

    # -- floor ------------------------------------------------------------------------------

    async def _one_empty(self, number: int, log: Path) -> float:
        started = time.time()
        await self._publish("segue-bench-floor", str(number).encode(), {})
        while (seen := _seen_at(log, number)) is None:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.002)
        return seen - started

    @asynccontextmanager
    async def _empty_function(self) -> AsyncIterator[Path]:
        log = Path(self._state.log).with_name("floor.log")
        port = free_port()
        command = (
            str(Path(sys.executable).parent / "functions-framework"),
            *("--target", "empty", "--source", str(FUNCTION)),
            *("--host", "127.0.0.1", "--port", str(port)),
        )
        child = await Child.start("floor", command, log)
        try:
            await self._subscribe_floor(f"http://127.0.0.1:{port}")
            yield log
        finally:
            await child.stop()

    async def _subscribe_floor(self, endpoint: str) -> None:
        topic = f"projects/{self._project}/topics/segue-bench-floor"
        await self._publisher.create_topic(name=topic)
        await SubscriberAsyncClient().create_subscription(
            pubsub.Subscription(
                name=f"projects/{self._project}/subscriptions/segue-bench-floor",
                topic=topic,
                ack_deadline_seconds=60,
                push_config=pubsub.PushConfig(push_endpoint=endpoint),
            )
        )

    async def _publish(self, topic: str, data: bytes, attributes: dict[str, str]) -> None:
        await self._publisher.publish(
            topic=f"projects/{self._project}/topics/{topic}",
            messages=[pubsub.PubsubMessage(data=data, attributes=attributes)],
        )


def _seen_at(log: Path, number: int) -> float | None:
    """When the empty function got this message, by its own clock and word."""
    for line in log.read_text("utf-8", "replace").splitlines():
        found, _, at = line.partition(" ")
        if found == str(number):
            return float(at)
    return None
