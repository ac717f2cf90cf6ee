"""What the broker's journal holds, table by table: frozen, and made of plain values.

Decides what outlives the process. Leases do not: what was under one is deliverable again.
"""

from __future__ import annotations

from dataclasses import dataclass

from emulator.embedded.pubsub.model import Message, Snapshot, Subscription, Topic

COUNTERS = "pubsub_counters"
TOPICS = "pubsub_topics"
SUBSCRIPTIONS = "pubsub_subscriptions"
MESSAGES = "pubsub_messages"
WAITING = "pubsub_waiting"
SNAPSHOTS = "pubsub_snapshots"


@dataclass(frozen=True, slots=True)
class CountersRecord:
    """No number up to `sequence` is given out again; `epoch` counts the starts of the broker."""

    sequence: int
    epoch: int


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """`uid` tells this topic from an earlier or later one of the same name."""

    topic: Topic
    uid: int


@dataclass(frozen=True, slots=True)
class SubscriptionRecord:
    """`origin` is the uid of the topic it was made for."""

    subscription: Subscription
    origin: int


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """A message that something holds. `origin` is the uid of the topic that retains it, or 0."""

    message: Message
    origin: int


@dataclass(frozen=True, slots=True)
class WaitingRecord:
    """A message in a subscription: unacknowledged, or acknowledged and retained.

    `since` is when its retention began, `attempts` how many deliveries have failed, and
    `available_at` the end of its back-off (0: there is none).
    """

    subscription: str
    sequence: int
    since: int
    attempts: int = 0
    available_at: int = 0
    acked: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """It retains the messages `pending`, and all of its topic's with a sequence above `after`."""

    snapshot: Snapshot
    origin: int
    created_at: int
    after: int
    pending: tuple[int, ...]
