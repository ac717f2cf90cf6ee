"""What a local system runs in its own process: sink, model stand-in, gateway, and the clock's tick.

Slow to import, as it brings servers and clients: import it while the other processes start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from google.api_core.exceptions import GoogleAPIError
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1 import types as pubsub

from emulator import gateway
from emulator.provision import provision
from emulator.serving import serve
from emulator.sink import start_sink
from emulator.standin.app import build as build_standin
from emulator.standin.rule_file import load
from emulator.surroundings import Ports
from emulator.topology import topology
from shared.client.connection import pointed_at
from shared.runtime.stage_table import StageTable

RULES = Path(__file__).parent / "standin" / "rules.yaml"


async def start_neighbours(
    ports: Ports,
    outbox: Path,
    stack: AsyncExitStack,
    *,
    latency_ms: float,
    on_item: Callable[[dict[str, Any]], None] | None,
) -> None:
    """Sink and stand-in, until the stack is closed."""
    sink = await start_sink(outbox, smtp_port=ports.smtp, http_port=ports.sink, on_item=on_item)
    stack.push_async_callback(sink.stop)
    if ports.model is not None:
        app = build_standin(load(RULES), latency=latency_ms / 1000)
        stack.push_async_callback((await serve(app, ports.model)).stop)


async def start_gateway(routes: dict[str, str], port: int, stack: AsyncExitStack) -> str:
    """Its address; it listens until the stack is closed."""
    front = await serve(gateway.build_app(routes), port)
    stack.push_async_callback(front.stop)
    return front.url


async def subscribe(
    environment: Mapping[str, str], table: StageTable, base_url: str
) -> PublisherAsyncClient:
    """Set up Pub/Sub for the stages behind `base_url`; returns a client of it."""
    with pointed_at(environment):
        publisher, subscriber = PublisherAsyncClient(), SubscriberAsyncClient()
    project = environment["GOOGLE_CLOUD_PROJECT"]
    await provision(topology(table, base_url), project, publisher, subscriber)
    return publisher


def start_ticking(
    topic: str, publisher: PublisherAsyncClient, every: float, stack: AsyncExitStack
) -> None:
    """What Cloud Scheduler does for the sweep in the cloud, until the stack is closed."""
    start(_tick(topic, publisher, every), stack)


def start(work: Coroutine[Any, Any, None], stack: AsyncExitStack) -> None:
    """Works in the background until the stack is closed."""
    stack.push_async_callback(_cancelled(asyncio.create_task(work)))


async def _tick(topic: str, publisher: PublisherAsyncClient, every: float) -> None:
    tick = pubsub.PubsubMessage(data=b"{}", attributes={"content-type": "application/json"})
    while True:
        with suppress(GoogleAPIError):  # a missed tick loses nothing
            await publisher.publish(topic=topic, messages=[tick], timeout=5)
        await asyncio.sleep(every)


def _cancelled(task: asyncio.Task[None]) -> Callable[[], Awaitable[None]]:
    async def cancel() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return cancel
