"""Brings back what an earlier process left in the journal.

Decides how records become holdings again. Leases ended with the process.
"""

from __future__ import annotations

from emulator.embedded.journal import Journal
from emulator.embedded.pubsub import records
from emulator.embedded.pubsub.holdings import HeldSnapshot, Holdings
from emulator.embedded.pubsub.model import Message
from emulator.embedded.pubsub.snapshots import Snapshots
from emulator.embedded.pubsub.subscriptions import Subscriptions
from emulator.embedded.pubsub.topics import Topics


class Reload:
    """One reading of a journal into empty holdings."""

    def __init__(
        self, holdings: Holdings, topics: Topics, subscriptions: Subscriptions, snapshots: Snapshots
    ) -> None:
        self._holdings = holdings
        self._topics = topics
        self._subscriptions = subscriptions
        self._snapshots = snapshots

    def read(self, journal: Journal) -> None:
        self._counters(journal)
        for _, topic in journal.records(records.TOPICS):
            self._topics.hold(topic.topic, topic.uid)
        for _, subscription in journal.records(records.SUBSCRIPTIONS):
            self._subscriptions.hold(subscription.subscription, subscription.origin)
        messages = self._messages(journal)
        self._waiting(journal, messages)
        for _, snapshot in journal.records(records.SNAPSHOTS):
            self._snapshot(snapshot, messages)

    def _counters(self, journal: Journal) -> None:
        counters = records.CountersRecord(0, 0)
        for _, found in journal.records(records.COUNTERS):
            counters = found
        used = [record.uid for _, record in journal.records(records.TOPICS)]
        used += [record.message.sequence for _, record in journal.records(records.MESSAGES)]
        # The counters may have been cleared since their numbers were given out.
        sequence = max(counters.sequence, *used, 0)
        counters = records.CountersRecord(sequence, counters.epoch + 1)
        self._holdings.start(counters.sequence, counters.epoch)
        self._holdings.ledger.start(counters)

    def _messages(self, journal: Journal) -> dict[int, Message]:
        found = [record for _, record in journal.records(records.MESSAGES)]
        found.sort(key=lambda record: record.message.sequence)
        logs = {held.uid: held.log for held in self._holdings.topics.values()}
        for record in found:
            if record.origin in logs:
                logs[record.origin].restore(record.message)
        return {record.message.sequence: record.message for record in found}

    def _waiting(self, journal: Journal, messages: dict[int, Message]) -> None:
        waiting = [record for _, record in journal.records(records.WAITING)]
        for record in sorted(waiting, key=lambda record: record.sequence):
            held = self._holdings.subscriptions[record.subscription]
            held.backlog.restore(messages[record.sequence], record)

    def _snapshot(self, record: records.SnapshotRecord, messages: dict[int, Message]) -> None:
        pending = {sequence: messages[sequence] for sequence in record.pending}
        held = HeldSnapshot(
            record.snapshot, record.origin, record.created_at, record.after, pending
        )
        for message in pending.values():
            self._holdings.ledger.held(message)
        self._snapshots.hold(held)
