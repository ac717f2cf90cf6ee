"""The Pub/Sub broker: what production promises of topics, subscriptions and deliveries, as a state
machine. Must not know protobuf, gRPC, HTTP, asyncio or the wall clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from emulator.embedded.journal import Forgetful, Journal
from emulator.embedded.pubsub.exchange import Exchange
from emulator.embedded.pubsub.holdings import Holdings
from emulator.embedded.pubsub.ledger import Ledger
from emulator.embedded.pubsub.model import (
    AckResult,
    Delivery,
    Message,
    Push,
    Snapshot,
    Subscription,
    Topic,
)
from emulator.embedded.pubsub.reload import Reload
from emulator.embedded.pubsub.snapshots import Snapshots
from emulator.embedded.pubsub.subscriptions import Subscriptions
from emulator.embedded.pubsub.topics import Topics


class Broker:
    """One broker. Every method raises Refusal where production would refuse.

    The same calls at the same times give the same answers, ids included. `clock` gives whole
    microseconds since 1970; the names of unnamed snapshots are drawn from `random`. What `journal`
    holds is taken over: leases have ended, attempts, back-offs and ordering go on; the first call
    of `advance` tells of what is deliverable.

    Not modelled: production may at any time deliver twice, out of order or late, and counts
    attempts as well as it can; here everything happens exactly when and as configured.
    """

    on_available: Callable[[str], None]
    """Told the subscription's name when something in it has become deliverable, at the end of the
    call in which it did; may call the broker."""

    def __init__(
        self, clock: Callable[[], int], random: Random, journal: Journal | None = None
    ) -> None:
        self.on_available = _nobody
        forgets = journal is None or isinstance(journal, Forgetful)
        self._holdings = Holdings(clock, random, Ledger(None if forgets else journal))
        self._exchange = Exchange(self._holdings)
        self._topics = Topics(self._holdings)
        self._subscriptions = Subscriptions(self._holdings, self._exchange.bury)
        self._snapshots = Snapshots(self._holdings)
        reload = Reload(self._holdings, self._topics, self._subscriptions, self._snapshots)
        reload.read(journal or Forgetful())

    def create_topic(self, topic: Topic) -> Topic:
        return self._topics.create(topic)

    def get_topic(self, name: str) -> Topic:
        return self._topics.get(name)

    def update_topic(self, topic: Topic, paths: Sequence[str]) -> Topic:
        """`paths` are those of the request: names of proto fields."""
        return self._topics.update(topic, paths)

    def list_topics(self, project: str) -> list[Topic]:
        """Those of `projects/p`, by name."""
        return self._topics.all_of(project)

    def delete_topic(self, name: str) -> None:
        """Its subscriptions keep what they have and show `_deleted-topic_`."""
        self._topics.delete(name)

    def topic_subscriptions(self, name: str) -> list[str]:
        """The names of those attached to it."""
        return self._topics.subscription_names(name)

    def topic_snapshots(self, name: str) -> list[str]:
        return self._topics.snapshot_names(name)

    def create_subscription(self, subscription: Subscription) -> Subscription:
        """As it is kept: an `ack_deadline` of 0 has become 10 s, 0 `max_attempts` 5."""
        return self._subscriptions.create(subscription)

    def get_subscription(self, name: str) -> Subscription:
        return self._subscriptions.get(name)

    def update_subscription(self, subscription: Subscription, paths: Sequence[str]) -> Subscription:
        """`paths` are those of the request: names of proto fields."""
        updated = self._subscriptions.update(subscription, paths)
        self._tell()
        return updated

    def list_subscriptions(self, project: str) -> list[Subscription]:
        """Those of `projects/p`, by name."""
        return self._subscriptions.all_of(project)

    def delete_subscription(self, name: str) -> None:
        self._subscriptions.delete(name)

    def detach_subscription(self, name: str) -> None:
        """Drops what it has; pulling from it is refused from now on."""
        self._subscriptions.detach(name)

    def modify_push(self, name: str, push: Push | None) -> None:
        self._subscriptions.modify_push(name, push)
        self._tell()

    def create_snapshot(self, name: str, subscription: str, labels: Mapping[str, str]) -> Snapshot:
        """Of the subscription as it is now; an empty `name` lets the broker choose one."""
        source = self._exchange.attached(subscription)
        source.backlog.advance(self._holdings.clock())
        made = self._snapshots.create(name, source, labels)
        self._tell()
        return made

    def get_snapshot(self, name: str) -> Snapshot:
        return self._snapshots.get(name)

    def update_snapshot(self, snapshot: Snapshot, paths: Sequence[str]) -> Snapshot:
        """`paths` are those of the request: names of proto fields."""
        return self._snapshots.update(snapshot, paths)

    def list_snapshots(self, project: str) -> list[Snapshot]:
        """Those of `projects/p`, by name."""
        return self._snapshots.all_of(project)

    def delete_snapshot(self, name: str) -> None:
        self._snapshots.delete(name)

    def seek_to_time(self, subscription: str, at: int) -> None:
        """What was published before `at` is acknowledged, what is retained from then on is not.

        Every lease ends.
        """
        self._exchange.seek_to_time(subscription, at)
        self._tell()

    def seek_to_snapshot(self, subscription: str, snapshot: str) -> None:
        """What was unacknowledged in the snapshot, or was published after it, is so again.

        Every lease ends.
        """
        self._exchange.seek_to_snapshot(subscription, self._holdings.snapshot(snapshot))
        self._tell()

    def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
        """The ids, in order. Ids, publish times and sequences given are replaced; attributes are
        kept as they are and must not change afterwards.
        """
        ids = self._exchange.publish(topic, messages)
        self._tell()
        return ids

    def pull(
        self,
        subscription: str,
        limit: int,
        *,
        max_bytes: int | None = None,
        ack_deadline: int | None = None,
    ) -> list[Delivery]:
        """Leases what is deliverable now, up to `limit` messages of `max_bytes` together, and at
        least one whatever its size; for `ack_deadline` microseconds or the subscription's own.
        """
        deliveries = self._exchange.lease(subscription, limit, max_bytes, ack_deadline)
        self._tell()
        return deliveries

    def acknowledge(self, subscription: str, ack_ids: Sequence[str]) -> AckResult:
        """Stale ids change nothing."""
        result = self._exchange.acknowledge(subscription, ack_ids)
        self._tell()
        return result

    def modify_deadline(
        self, subscription: str, ack_ids: Sequence[str], microseconds: int
    ) -> AckResult:
        """Leases end so long after now; 0 is a nack. Stale ids change nothing."""
        result = self._exchange.modify_deadline(subscription, ack_ids, microseconds)
        self._tell()
        return result

    def touch(self, subscription: str) -> None:
        """Someone is listening to the subscription, if there is one: it does not expire."""
        held = self._holdings.subscriptions.get(subscription)
        if held is not None:
            held.active_at = self._holdings.clock()

    def advance(self) -> None:
        """Lets everything happen that was to by now: leases and back-offs end, dead letters are
        published, what is no longer retained goes, unused subscriptions and snapshots expire.
        """
        now = self._holdings.clock()
        for held in tuple(self._holdings.subscriptions.values()):
            self._subscriptions.advance(held, now)
        self._snapshots.advance(now)
        for topic in self._holdings.topics.values():
            topic.log.advance(now)
        self._tell()

    def next_event(self) -> int | None:
        """When `advance` will next have something to do; None: never. It may be past."""
        holdings = self._holdings
        moments = [held.backlog.next_event() for held in holdings.subscriptions.values()]
        moments += [held.expires_at for held in holdings.subscriptions.values()]
        moments += [held.snapshot.expires_at for held in holdings.snapshots.values()]
        moments += [topic.log.next_event() for topic in holdings.topics.values()]
        return min((at for at in moments if at is not None), default=None)

    def reset(self) -> None:
        """Deletes everything. No message id or ack id is given out a second time."""
        for name in tuple(self._holdings.snapshots):
            self._snapshots.delete(name)
        for name in tuple(self._holdings.subscriptions):
            self._subscriptions.delete(name)
        for name in tuple(self._holdings.topics):
            self._topics.delete(name)

    def _tell(self) -> None:
        ready = self._holdings.ready
        if ready:
            names = tuple(ready)
            ready.clear()
            for name in names:
                self.on_available(name)


def _nobody(subscription: str) -> None:
    """Nobody is told."""
