"""Every implementation of a port, by the same name: the contract suites run on each of them."""

from __future__ import annotations

import itertools
import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient

from emulator.embedded.firestore.database import Database
from emulator.embedded.pubsub.broker import Broker
from emulator.embedded.pubsub.model import Subscription, Topic
from emulator.embedded_engine import EmbeddedEngine
from emulator.engine import Engine, EngineMissingError
from emulator.google import GoogleEngine
from emulator.google_install import find
from emulator.serving import Served, serve
from emulator.simulation.core_bus import CoreBus
from emulator.simulation.core_store import CoreStore
from emulator.sink import Sink, start_sink
from emulator.standin.app import build
from emulator.standin.rules import Rules
from shared.adapters import firestore_store
from shared.adapters.firestore_store import FirestoreStore
from shared.adapters.pubsub_bus import PubSubBus
from shared.client.connection import pointed_at
from shared.domain.envelope import Message
from shared.ports import Bus, Store
from shared.testing.memory import MemoryBus, MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

PROJECT = f"segue-contract-{uuid.uuid4().hex[:8]}"  # an emulator from outside keeps old tests
ENGINES = ("embedded", "google")
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def google_engine(
    outside: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Engine]:
    """The emulators that the environment names, else Google's own, else a skip that says why."""
    if outside.keys() >= {"PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"}:
        yield Engine("outside", outside["PUBSUB_EMULATOR_HOST"], outside["FIRESTORE_EMULATOR_HOST"])
        return
    try:
        installation = find()
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    engine = GoogleEngine(installation)
    yield await engine.start(tmp_path_factory.mktemp("google"))
    await engine.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def embedded_engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """The embedded engine, in a process of its own; it asks for no composite indexes."""
    engine = EmbeddedEngine()
    yield await engine.start(tmp_path_factory.mktemp("embedded"))
    await engine.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def embedded_firestore(embedded_engine: Engine) -> FirestoreStore:
    with pointed_at(embedded_engine.environment()):
        return FirestoreStore(firestore_store.build_client(PROJECT))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def google_firestore(google_engine: Engine) -> FirestoreStore:
    with pointed_at(google_engine.environment()):
        return FirestoreStore(firestore_store.build_client(PROJECT))


@pytest.fixture(params=ENGINES)
def firestore(request: pytest.FixtureRequest) -> FirestoreStore:
    found: FirestoreStore = request.getfixturevalue(f"{request.param}_firestore")
    return found


def now_in_micros() -> int:
    return time.time_ns() // 1000


@pytest.fixture(params=["memory", "core", *ENGINES])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "core":
        name = f"projects/{PROJECT}/databases/(default)"
        return CoreStore(Database(name, now_in_micros, Random(0)))
    found: Store = request.getfixturevalue(f"{request.param}_firestore")
    return found


@pytest.fixture
def collection() -> str:
    """A collection that no other test writes to."""
    return f"contract{next(_numbers)}"


@dataclass(frozen=True)
class BusCase:
    """A bus with one topic, `stage`, and what has arrived there."""

    bus: Bus
    arrived: Callable[[int], Any]


Clients = tuple[PublisherAsyncClient, SubscriberAsyncClient]


@asynccontextmanager
async def clients_of(engine: Engine) -> AsyncIterator[Clients]:
    with pointed_at(engine.environment()):
        publisher, subscriber = PublisherAsyncClient(), SubscriberAsyncClient()
    yield publisher, subscriber
    await publisher.transport.close()
    await subscriber.transport.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def embedded_pubsub(embedded_engine: Engine) -> AsyncIterator[Clients]:
    async with clients_of(embedded_engine) as clients:
        yield clients


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def google_pubsub(google_engine: Engine) -> AsyncIterator[Clients]:
    async with clients_of(google_engine) as clients:
        yield clients


@pytest.fixture(params=ENGINES)
def pubsub(request: pytest.FixtureRequest) -> Clients:
    found: Clients = request.getfixturevalue(f"{request.param}_pubsub")
    return found


@pytest.fixture(params=["memory", "core", *ENGINES])
def bus_case(request: pytest.FixtureRequest) -> BusCase:
    found: BusCase = request.getfixturevalue(f"{request.param}_case")
    return found


@pytest.fixture
def memory_case() -> BusCase:
    memory = MemoryBus()

    async def taken(count: int) -> list[tuple[str, Message]]:
        return memory.take("stage")[:count]

    return BusCase(memory, taken)


@pytest.fixture
def core_case() -> BusCase:
    broker = Broker(now_in_micros, Random(0))
    topics, subscription = f"projects/{PROJECT}/topics/", f"projects/{PROJECT}/subscriptions/stage"
    broker.create_topic(Topic(f"{topics}stage"))
    broker.create_subscription(Subscription(subscription, f"{topics}stage"))

    async def pulled(count: int) -> list[tuple[str, Message]]:
        taken = [each.message for each in broker.pull(subscription, count)]
        return [(each.id, Message(each.data, dict(each.attributes))) for each in taken]

    return BusCase(CoreBus(broker, topics), pulled)


@pytest_asyncio.fixture(loop_scope="session")
async def embedded_case(embedded_pubsub: Clients) -> BusCase:
    return await served_case(embedded_pubsub)


@pytest_asyncio.fixture(loop_scope="session")
async def google_case(google_pubsub: Clients) -> BusCase:
    return await served_case(google_pubsub)


async def served_case(clients: Clients) -> BusCase:
    publisher, subscriber = clients
    prefix = f"contract{next(_numbers)}"
    topic = f"projects/{PROJECT}/topics/{prefix}-stage"
    subscription = f"projects/{PROJECT}/subscriptions/{prefix}-stage"
    await publisher.create_topic(name=topic)
    await subscriber.create_subscription(name=subscription, topic=topic)

    async def pulled(count: int) -> list[tuple[str, Message]]:
        found: dict[str, Message] = {}
        pulled_at_once = 1 if count < 10 else 1000  # the client takes 4 MiB in one answer
        while len(found) < count:
            answer = await subscriber.pull(subscription=subscription, max_messages=pulled_at_once)
            for received in answer.received_messages:
                sent = received.message
                found[sent.message_id] = Message(sent.data, dict(sent.attributes))
        return list(found.items())

    return BusCase(PubSubBus(publisher, PROJECT, prefix), pulled)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def served_standin() -> AsyncIterator[Served]:
    served = await serve(build(Rules()))
    yield served
    await served.stop()


@dataclass(frozen=True)
class Standin:
    """The model stand-in and its control interface."""

    url: str

    async def arm(self, fault: str, **order: Any) -> None:
        async with httpx.AsyncClient(base_url=self.url) as client:
            (await client.post("/_faults", json={"fault": fault, **order})).raise_for_status()

    async def rules(self, *rules: dict[str, Any]) -> None:
        async with httpx.AsyncClient(base_url=self.url) as client:
            (await client.post("/_rules", json=list(rules))).raise_for_status()

    async def calls(self) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self.url) as client:
            found: dict[str, Any] = (await client.get("/_calls")).json()
            return found

    async def reset(self) -> None:
        async with httpx.AsyncClient(base_url=self.url) as client:
            for path in ("/_faults", "/_rules", "/_calls"):
                (await client.delete(path)).raise_for_status()


@pytest_asyncio.fixture(loop_scope="session")
async def standin(served_standin: Served) -> AsyncIterator[Standin]:
    standin = Standin(served_standin.url)
    yield standin
    await standin.reset()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sink(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sink]:
    sink = await start_sink(tmp_path_factory.mktemp("outbox"))
    yield sink
    await sink.stop()


@pytest.fixture
def outbox(sink: Sink) -> Callable[[], list[dict[str, Any]]]:
    """What arrived at the sink during this test."""
    sink.outbox.clear()
    return sink.outbox.items
