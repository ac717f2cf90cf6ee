"""All that exists in a broker, by name, and what its parts share: clock, counters, journal.

Decides nothing about any of it but where it is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import TypeVar

from emulator.embedded.pubsub import names
from emulator.embedded.pubsub.backlog import Backlog
from emulator.embedded.pubsub.filters import Predicate
from emulator.embedded.pubsub.ledger import Ledger
from emulator.embedded.pubsub.model import Message, Snapshot, Subscription, Topic
from emulator.embedded.pubsub.topic_log import TopicLog

Found = TypeVar("Found")


@dataclass(slots=True, eq=False)
class HeldSubscription:
    """A subscription. `origin` is the uid of the topic it was made for."""

    settings: Subscription
    origin: int
    matches: Predicate | None
    backlog: Backlog
    active_at: int

    @property
    def expires_at(self) -> int | None:
        """When it goes if nobody uses it any more."""
        ttl = self.settings.expires_after
        return None if ttl is None else self.active_at + ttl


@dataclass(slots=True, eq=False)
class HeldSnapshot:
    """A snapshot: the messages `pending` by sequence, and all of its topic's above `after`."""

    snapshot: Snapshot
    origin: int
    created_at: int
    after: int
    pending: dict[int, Message]


@dataclass(slots=True, eq=False)
class HeldTopic:
    """A topic. `uid` tells it from an earlier or later one of the same name."""

    topic: Topic
    uid: int
    log: TopicLog
    subscriptions: dict[str, HeldSubscription] = field(default_factory=dict)  # attached ones
    snapshots: dict[str, HeldSnapshot] = field(default_factory=dict)

    def retain(self) -> None:
        """Lets the log know what it is to retain from now on."""
        self.log.retention = self.topic.retention
        floors = [held.after for held in self.snapshots.values()]
        self.log.floor = min(floors, default=None)


class Holdings:
    """Shared by the parts of one broker. `ready` collects the subscriptions in which something has
    become deliverable since it was last emptied, in that order.
    """

    def __init__(self, clock: Callable[[], int], random: Random, ledger: Ledger) -> None:
        self.clock = clock
        self.random = random
        self.ledger = ledger
        self.topics: dict[str, HeldTopic] = {}
        self.subscriptions: dict[str, HeldSubscription] = {}
        self.snapshots: dict[str, HeldSnapshot] = {}
        self.ready: dict[str, None] = {}
        self.sequence = 0
        self.ack_ids: Iterator[str] = iter(())

    def start(self, sequence: int, epoch: int) -> None:
        """Numbers go on after `sequence`; ack ids differ from those of any other epoch."""
        self.sequence = sequence
        self.ack_ids = (f"{epoch}-{number}" for number in count(1))

    def take_numbers(self, count: int = 1) -> int:
        """The first of so many numbers that no message and no topic has or will have."""
        first = self.sequence + 1
        self.sequence += count
        self.ledger.reserve(self.sequence)
        return first

    def topic(self, name: str) -> HeldTopic:
        names.check_topic(name)
        return _found(self.topics, name)

    def subscription(self, name: str) -> HeldSubscription:
        names.check_subscription(name)
        return _found(self.subscriptions, name)

    def snapshot(self, name: str) -> HeldSnapshot:
        names.check_snapshot(name)
        return _found(self.snapshots, name)

    def topic_of_origin(self, name: str, origin: int) -> HeldTopic | None:
        """The topic `name` if it still is the one of that uid."""
        held = self.topics.get(name)
        return held if held is not None and held.uid == origin else None


def in_project(held: Mapping[str, Found], project: str) -> list[Found]:
    """What belongs to `projects/p`, by name."""
    names.check_project(project)
    return [held[name] for name in sorted(held) if name.startswith(f"{project}/")]


def _found(held: Mapping[str, Found], name: str) -> Found:
    try:
        return held[name]
    except KeyError:
        raise names.missing(name) from None
