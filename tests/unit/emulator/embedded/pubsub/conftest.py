"""A broker on a clock that stands until it is moved, and short words for what tests do with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from emulator.embedded.pubsub.broker import Broker
from emulator.embedded.pubsub.model import (
    SECOND,
    DeadLetterPolicy,
    Delivery,
    Message,
    Subscription,
    Topic,
)

START = 1_700_000_000 * SECOND


class MemoryJournal:
    """Implements `Journal` in dictionaries, which outlive any broker on it."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {}

    def put(self, table: str, key: str, record: Any) -> None:
        self.tables.setdefault(table, {})[key] = record

    def delete(self, table: str, key: str) -> None:
        del self.tables[table][key]

    def records(self, table: str) -> Iterator[tuple[str, Any]]:
        return iter(tuple(self.tables.get(table, {}).items()))

    def flush(self) -> None: ...


@dataclass
class World:
    """One broker with the topic `t`; names are short, times in seconds."""

    now: int = START
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.broker = Broker(lambda: self.now, Random(1), self.journal)
        self.broker.on_available = self.told.append

    def topic(self, name: str = "top", **settings: Any) -> Topic:
        return self.broker.create_topic(Topic(topic(name), **settings))

    def subscription(self, name: str = "sub", of: str = "top", **settings: Any) -> Subscription:
        wanted = Subscription(subscription(name), topic(of), **settings)
        return self.broker.create_subscription(wanted)

    def publish(self, *texts: str, to: str = "top", key: str = "", **attributes: str) -> list[str]:
        messages = [Message("", text.encode(), attributes, 0, key) for text in texts]
        return self.broker.publish(topic(to), messages)

    def pull(self, name: str = "sub", limit: int = 100, **more: Any) -> list[Delivery]:
        return self.broker.pull(subscription(name), limit, **more)

    def texts(self, name: str = "sub", limit: int = 100) -> list[str]:
        """What a pull gives, as text."""
        return [text(delivery) for delivery in self.pull(name, limit)]

    def drain(self, name: str = "sub") -> list[str]:
        """What is deliverable now and after its acknowledgement, acknowledged."""
        found = []
        while deliveries := self.pull(name):
            found += map(text, deliveries)
            self.ack(*deliveries, name=name)
        return found

    def ack(self, *deliveries: Delivery, name: str = "sub") -> tuple[str, ...]:
        """The stale ids."""
        ids = [delivery.ack_id for delivery in deliveries]
        return self.broker.acknowledge(subscription(name), ids).stale

    def nack(self, *deliveries: Delivery, name: str = "sub") -> tuple[str, ...]:
        """The stale ids."""
        ids = [delivery.ack_id for delivery in deliveries]
        return self.broker.modify_deadline(subscription(name), ids, 0).stale

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
        self.broker.advance()

    def waiting(self) -> float | None:
        """Seconds until the next event."""
        at = self.broker.next_event()
        return None if at is None else (at - self.now) / SECOND


def topic(name: str) -> str:
    return f"projects/p/topics/{name}"


def subscription(name: str) -> str:
    return f"projects/p/subscriptions/{name}"


def text(delivery: Delivery) -> str:
    return delivery.message.data.decode()


@pytest.fixture
def world() -> World:
    made = World()
    made.topic()
    return made


@pytest.fixture
def dead_letters(world: World) -> DeadLetterPolicy:
    """A policy to the topic `dead`, which has the subscription `graves`."""
    world.topic("dead")
    world.subscription("graves", of="dead")
    return DeadLetterPolicy(topic("dead"), 5)
