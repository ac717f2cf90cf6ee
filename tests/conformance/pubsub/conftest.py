"""Clients, topics with subscriptions, and a push endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

import pytest
import pytest_asyncio
from google.api_core.exceptions import NotFound
from google.cloud import pubsub_v1
from google.pubsub_v1 import (
    PublisherAsyncClient,
    PublisherClient,
    SubscriberAsyncClient,
    SubscriberClient,
)

from emulator.engine import Engine
from emulator.serving import Served, serve
from shared.client.connection import pointed_at
from tests.conformance.pubsub.hook import Hook, Hooks
from tests.conformance.pubsub.lane import Lane, Stream


class Lanes(Protocol):
    """Makes a topic with a subscription; the options are fields of the subscription."""

    async def __call__(self, *, topic: str | None = None, **subscription: Any) -> Lane: ...


Streams = Callable[..., Stream]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def publisher(engine: Engine) -> AsyncIterator[PublisherAsyncClient]:
    with pointed_at(engine.environment()):
        client = PublisherAsyncClient()
    yield client
    await client.transport.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def subscriber(engine: Engine) -> AsyncIterator[SubscriberAsyncClient]:
    with pointed_at(engine.environment()):
        client = SubscriberAsyncClient()
    yield client
    await client.transport.close()


@pytest.fixture(scope="session")
def sync_publisher(engine: Engine) -> Iterator[PublisherClient]:
    with pointed_at(engine.environment()):
        client = PublisherClient()
    yield client
    client.transport.close()


@pytest.fixture(scope="session")
def sync_subscriber(engine: Engine) -> Iterator[SubscriberClient]:
    with pointed_at(engine.environment()):
        client = SubscriberClient()
    yield client
    client.transport.close()


@pytest.fixture
def high_level(engine: Engine) -> Iterator[pubsub_v1.SubscriberClient]:
    """The client that most programs use, with its threads."""
    with pointed_at(engine.environment()):
        client = pubsub_v1.SubscriberClient()
    yield client
    client.close()


@pytest.fixture
def names(project: str, fresh: Callable[[str], str]) -> Callable[[str], str]:
    """Full names of resources that no other test uses, by their kind: topics, subscriptions."""
    return lambda kind: f"projects/{project}/{kind}/{fresh(kind)}"


@pytest_asyncio.fixture(loop_scope="session")
async def lanes(
    publisher: PublisherAsyncClient,
    subscriber: SubscriberAsyncClient,
    names: Callable[[str], str],
) -> AsyncIterator[Lanes]:
    """Topics with subscriptions; these go at the end, so that nothing is pushed for ever."""
    made: list[Lane] = []

    async def make(*, topic: str | None = None, **subscription: Any) -> Lane:
        if topic is None:
            topic = (await publisher.create_topic(name=names("topics"))).name
        name = names("subscriptions")
        await subscriber.create_subscription({"name": name, "topic": topic, **subscription})
        made.append(Lane(publisher, subscriber, topic, name))
        return made[-1]

    yield make
    for lane in made:
        try:
            await subscriber.delete_subscription(subscription=lane.subscription)
        except NotFound:
            continue


@pytest_asyncio.fixture(loop_scope="session")
async def lane(lanes: Lanes) -> Lane:
    """A topic with a plain pull subscription."""
    return await lanes()


@pytest_asyncio.fixture(loop_scope="session")
async def streams() -> AsyncIterator[Streams]:
    """Streaming pulls of a lane; the options are fields of the first request."""
    opened: list[Stream] = []

    def make(lane: Lane, **opening: Any) -> Stream:
        opened.append(Stream(lane, **opening))
        return opened[-1]

    yield make
    for stream in opened:
        stream.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _endpoint() -> AsyncIterator[tuple[Served, Hooks]]:
    hooks = Hooks()
    served = await serve(hooks.application())
    yield served, hooks
    await served.stop()


@pytest.fixture
def hooks(_endpoint: tuple[Served, Hooks], fresh: Callable[[str], str]) -> Callable[[], Hook]:
    """URLs to push to."""
    served, known = _endpoint

    def make() -> Hook:
        path = "/" + fresh("hook")
        hook = known.by_path[path] = Hook(served.url + path)
        return hook

    return make


@pytest.fixture
def hook(hooks: Callable[[], Hook]) -> Hook:
    return hooks()
