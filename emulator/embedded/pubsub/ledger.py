"""Tells the journal what the broker holds, and forgets a message once nothing holds it any more.

Decides when a record is put or deleted. Must not know why.
"""

from __future__ import annotations

from emulator.embedded.journal import Journal
from emulator.embedded.pubsub import records
from emulator.embedded.pubsub.model import Message

_RESERVED = 10_000  # sequence numbers for which one record is put


class Ledger:
    """The broker's own journal. Without one, every method returns at once."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self._holders: dict[int, int] = {}  # message sequence -> how many hold it
        self._epoch = 0
        self._reserved = 0

    def start(self, counters: records.CountersRecord) -> None:
        """Goes on from what an earlier process left: `counters` is the new epoch's."""
        self._epoch = counters.epoch
        self._reserved = counters.sequence
        self._put_counters()

    def reserve(self, sequence: int) -> None:
        """Makes sure that no later process gives out `sequence` again."""
        if sequence > self._reserved:
            self._reserved = sequence + _RESERVED
            self._put_counters()

    def put(self, table: str, key: str, record: object) -> None:
        if self._journal is not None:
            self._journal.put(table, key, record)

    def delete(self, table: str, key: str) -> None:
        if self._journal is not None:
            self._journal.delete(table, key)

    def hold(self, message: Message, origin: int = 0) -> None:
        """One more holder; `origin` is the uid of the topic whose log it is, if it is one."""
        if self._journal is None:
            return
        holders = self._holders.get(message.sequence, 0)
        self._holders[message.sequence] = holders + 1
        if not holders or origin:
            self._journal.put(records.MESSAGES, message.id, records.MessageRecord(message, origin))

    def held(self, message: Message) -> None:
        """As `hold`, where the journal's record is what it was read from."""
        if self._journal is not None:
            self._holders[message.sequence] = self._holders.get(message.sequence, 0) + 1

    def release(self, message: Message, *, logged: bool = False) -> None:
        """One holder less; `logged` if it was a topic's log."""
        if self._journal is None:
            return
        holders = self._holders.pop(message.sequence) - 1
        if not holders:
            self._journal.delete(records.MESSAGES, message.id)
            return
        self._holders[message.sequence] = holders
        if logged:
            self._journal.put(records.MESSAGES, message.id, records.MessageRecord(message, 0))

    def wait(self, record: records.WaitingRecord) -> None:
        """A message of a subscription is now as `record` says."""
        self.put(records.WAITING, _waiting_key(record.subscription, record.sequence), record)

    def leave(self, subscription: str, message: Message) -> None:
        """A message is no longer in a subscription."""
        if self._journal is not None:
            self._journal.delete(records.WAITING, _waiting_key(subscription, message.sequence))
            self.release(message)

    @property
    def keeps(self) -> bool:
        """Whether records are worth making."""
        return self._journal is not None

    def _put_counters(self) -> None:
        counters = records.CountersRecord(self._reserved, self._epoch)
        self.put(records.COUNTERS, "broker", counters)


def _waiting_key(subscription: str, sequence: int) -> str:
    return f"{subscription} {sequence}"
