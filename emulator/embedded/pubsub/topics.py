"""Topics: made, changed, listed, deleted. Must not know how messages are delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from emulator.embedded.pubsub import limits, masks, names, records
from emulator.embedded.pubsub.holdings import HeldSnapshot, HeldTopic, Holdings, in_project
from emulator.embedded.pubsub.model import DELETED_TOPIC, Topic
from emulator.embedded.pubsub.snapshots import put_snapshot
from emulator.embedded.pubsub.subscriptions import put_subscription
from emulator.embedded.pubsub.topic_log import TopicLog


class Topics:
    """The topics of one broker."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings

    def create(self, topic: Topic) -> Topic:
        kept = limits.checked_topic(topic)
        if kept.name in self._holdings.topics:
            raise names.taken(kept.name)
        held = self.hold(kept, self._holdings.take_numbers())
        self._put(held)
        return kept

    def hold(self, topic: Topic, uid: int) -> HeldTopic:
        """Takes the topic in as it is."""
        held = HeldTopic(topic, uid, TopicLog(uid, self._holdings.ledger))
        held.retain()
        self._holdings.topics[topic.name] = held
        return held

    def get(self, name: str) -> Topic:
        return self._holdings.topic(name).topic

    def update(self, wanted: Topic, paths: Sequence[str]) -> Topic:
        held = self._holdings.topic(wanted.name)
        held.topic = limits.checked_topic(masks.masked(masks.TOPIC, held.topic, wanted, paths))
        held.retain()
        held.log.advance(self._holdings.clock())
        self._put(held)
        return held.topic

    def all_of(self, project: str) -> list[Topic]:
        return [held.topic for held in in_project(self._holdings.topics, project)]

    def delete(self, name: str) -> None:
        """Its subscriptions and snapshots stay with what they hold, and show no topic."""
        held = self._holdings.topic(name)
        del self._holdings.topics[name]
        self._holdings.ledger.delete(records.TOPICS, name)
        for subscription in self._holdings.subscriptions.values():
            if subscription.origin == held.uid:
                subscription.settings = replace(subscription.settings, topic=DELETED_TOPIC)
                subscription.backlog.reconfigure(subscription.settings)
                put_subscription(self._holdings, subscription)
        for snapshot in held.snapshots.values():
            self._detach_snapshot(held, snapshot)
        held.log.empty()

    def _detach_snapshot(self, topic: HeldTopic, held: HeldSnapshot) -> None:
        for message in topic.log.published_after(held.after):
            held.pending[message.sequence] = message
            self._holdings.ledger.hold(message)
        held.snapshot = replace(held.snapshot, topic=DELETED_TOPIC)
        put_snapshot(self._holdings, held)

    def subscription_names(self, name: str) -> list[str]:
        return sorted(self._holdings.topic(name).subscriptions)

    def snapshot_names(self, name: str) -> list[str]:
        return sorted(self._holdings.topic(name).snapshots)

    def _put(self, held: HeldTopic) -> None:
        record = records.TopicRecord(held.topic, held.uid)
        self._holdings.ledger.put(records.TOPICS, held.topic.name, record)
