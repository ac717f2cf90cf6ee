"""What waits in one subscription: leases, their expiry, back-off, ordering keys and retention.

Must not know topics, names or the wire; what follows from a last failed attempt is told to it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from emulator.embedded.pubsub import backoff
from emulator.embedded.pubsub.ledger import Ledger
from emulator.embedded.pubsub.model import Delivery, Message, Subscription
from emulator.embedded.pubsub.ordering import KeyOrder
from emulator.embedded.pubsub.records import WaitingRecord
from emulator.embedded.pubsub.timers import Timers

Bury = Callable[[Subscription, Message, int], bool]


@dataclass(slots=True, eq=False)
class Entry:
    """A message in a subscription. `since` is when its retention began, `attempts` its deliveries
    so far; `ack_id` is set while it is under a lease.
    """

    message: Message
    since: int
    attempts: int = 0
    ack_id: str = ""
    acked: bool = False


class Backlog:
    """The messages of one subscription. No operation but `replace` looks at all of them.

    `ready` is called whenever a message becomes deliverable; `bury` publishes a dead letter and
    answers whether it could.
    """

    def __init__(
        self, settings: Subscription, ledger: Ledger, ready: Callable[[], None], bury: Bury
    ) -> None:
        self.settings = settings
        self._ledger = ledger
        self._tell_ready = ready
        self._bury = bury
        self._entries: OrderedDict[int, Entry] = (
            OrderedDict()
        )  # by sequence: in order of publishing
        self._ready: OrderedDict[int, Entry] = OrderedDict()
        self._leases: dict[str, Entry] = {}
        self._timers = Timers()  # ends of leases and of back-offs, by sequence
        self._order: KeyOrder[Entry] = KeyOrder()

    @property
    def deliverable(self) -> bool:
        return bool(self._ready)

    def reconfigure(self, settings: Subscription) -> None:
        """New settings of the same subscription; what it no longer retains is dropped."""
        self.settings = settings
        if not settings.retain_acked:
            for entry in [entry for entry in self._entries.values() if entry.acked]:
                self._drop(entry)

    def add(self, messages: Iterable[Message]) -> None:
        """Messages published just now, in that order."""
        keeps, before = self._ledger.keeps, len(self._ready)
        for message in messages:
            entry = Entry(message, message.published_at)
            self._entries[message.sequence] = entry
            if keeps:
                self._ledger.hold(message)
                self._record(entry)
            if self._order.join(self._key(entry), entry):
                self._ready[message.sequence] = entry
        if len(self._ready) > before:  # told once, as there may be hundreds
            self._tell_ready()

    def restore(self, message: Message, record: WaitingRecord) -> None:
        """A message of an earlier process; call it in the order of publishing."""
        entry = Entry(message, record.since, record.attempts, acked=record.acked)
        self._entries[message.sequence] = entry
        self._ledger.held(message)
        if entry.acked:
            return
        if not self._order.join(self._key(entry), entry):
            return
        if record.available_at:
            self._timers.set(message.sequence, record.available_at)
        else:
            self._make_ready(entry)

    def lease(
        self, limit: int, max_bytes: int | None, deadline: int, ack_ids: Iterator[str]
    ) -> list[Delivery]:
        """Leases up to `limit` deliverable messages until `deadline`, at least one of them
        whatever its size.
        """
        leased: list[Delivery] = []
        room = max_bytes
        counts = self.settings.dead_letter is not None
        while self._ready and len(leased) < limit:
            sequence, entry = self._ready.popitem(last=False)
            if room is not None:
                room -= size_of(entry.message)
                if room < 0 and leased:
                    self._ready[sequence] = entry
                    self._ready.move_to_end(sequence, last=False)
                    break
            entry.attempts += 1
            entry.ack_id = ack_id = next(ack_ids)
            self._leases[ack_id] = entry
            self._timers.set(sequence, deadline)
            attempt = entry.attempts if counts else None
            leased.append(Delivery(ack_id, entry.message, attempt, deadline))
        return leased

    def acknowledge(self, ack_id: str) -> bool:
        """False where the lease has ended or never was."""
        entry = self._leases.get(ack_id)
        if entry is None:
            return False
        self._end_lease(entry)
        self._settle(entry)
        return True

    def extend(self, ack_id: str, deadline: int) -> bool:
        """Lets a lease end at `deadline`; False where it has ended or never was."""
        entry = self._leases.get(ack_id)
        if entry is None:
            return False
        self._timers.set(entry.message.sequence, deadline)
        return True

    def refuse(self, ack_id: str, now: int) -> bool:
        """A nack; False where the lease has ended or never was."""
        entry = self._leases.get(ack_id)
        if entry is None:
            return False
        self._end_lease(entry)
        self._fail(entry, now)
        return True

    def advance(self, now: int) -> None:
        """Everything that was to happen up to `now`, in the order in which it was."""
        expired = False
        while due := self._timers.pop_due(now):
            at, sequence = due
            entry = self._entries[sequence]
            if entry.ack_id:
                expired = True
                self._end_lease(entry)
                self._fail(entry, at)
            else:
                self._make_ready(entry)
        if expired and self._ready:  # whoever held the lease may have room for another message
            self._tell_ready()
        while (ends := self._retention_ends()) is not None and ends <= now:
            self._drop(next(iter(self._entries.values())))

    def next_event(self) -> int | None:
        moments = (self._timers.next(), self._retention_ends())
        return min((at for at in moments if at is not None), default=None)

    def unacked(self) -> Iterator[Message]:
        """In the order of publishing."""
        return (entry.message for entry in self._entries.values() if not entry.acked)

    def retained(self) -> Iterator[Message]:
        """All it has, acknowledged or not, in the order of publishing."""
        return (entry.message for entry in self._entries.values())

    def replace(self, wanted: Mapping[int, Message], now: int) -> None:
        """Makes exactly the messages `wanted`, by sequence, unacknowledged.

        Every lease and back-off ends. What was acknowledged starts again at the first attempt;
        what the subscription no longer had is retained from `now` on.
        """
        entries = {}
        for sequence, entry in self._entries.items():
            if sequence in wanted or self.settings.retain_acked:
                entries[sequence] = entry
                self._mark(entry, acked=sequence not in wanted)
            else:
                self._ledger.leave(self.settings.name, entry.message)
        for sequence, message in wanted.items():
            if sequence not in entries:
                entries[sequence] = entry = Entry(message, now)
                self._ledger.hold(message)
                self._record(entry)
        self._rebuild(entries)

    def empty(self) -> None:
        """Drops all there is."""
        for entry in self._entries.values():
            self._ledger.leave(self.settings.name, entry.message)
        self._rebuild({})

    def _mark(self, entry: Entry, *, acked: bool) -> None:
        entry.ack_id = ""
        if entry.acked and not acked:
            entry.attempts = 0
        if entry.acked != acked:
            entry.acked = acked
            self._record(entry)

    def _rebuild(self, entries: dict[int, Entry]) -> None:
        self._ready.clear()
        self._leases.clear()
        self._timers.clear()
        self._order.clear()
        self._entries = OrderedDict(sorted(entries.items()))
        for entry in self._entries.values():
            if not entry.acked:
                self._line_up(entry)

    def _fail(self, entry: Entry, at: int) -> None:
        policy = self.settings.dead_letter
        exhausted = policy is not None and entry.attempts >= policy.max_attempts
        if exhausted and self._bury(self.settings, entry.message, entry.attempts):
            self._settle(entry)
            return
        pushed = self.settings.push is not None
        wait = backoff.delay(self.settings.retry, entry.attempts, pushed=pushed)
        self._record(entry, at + wait if wait else 0)
        if wait:
            self._timers.set(entry.message.sequence, at + wait)
        else:
            self._make_ready(entry)

    def _settle(self, entry: Entry) -> None:
        """The message is done with: acknowledged, or a dead letter elsewhere."""
        if self.settings.retain_acked:
            entry.acked = True
            self._record(entry)
        else:
            del self._entries[entry.message.sequence]
            self._ledger.leave(self.settings.name, entry.message)
        self._let_next(entry)

    def _drop(self, entry: Entry) -> None:
        sequence = entry.message.sequence
        del self._entries[sequence]
        self._ledger.leave(self.settings.name, entry.message)
        if entry.acked:
            return
        self._ready.pop(sequence, None)
        self._end_lease(entry)
        self._let_next(entry)

    def _end_lease(self, entry: Entry) -> None:
        self._leases.pop(entry.ack_id, None)
        entry.ack_id = ""
        self._timers.cancel(entry.message.sequence)

    def _line_up(self, entry: Entry) -> None:
        if self._order.join(self._key(entry), entry):
            self._make_ready(entry)

    def _let_next(self, entry: Entry) -> None:
        after = self._order.leave(self._key(entry))
        if after is not None:
            self._make_ready(after)

    def _make_ready(self, entry: Entry) -> None:
        self._ready[entry.message.sequence] = entry
        self._tell_ready()

    def _key(self, entry: Entry) -> str:
        return entry.message.ordering_key if self.settings.ordered else ""

    def _retention_ends(self) -> int | None:
        """When the earliest message falls out of the retention window."""
        for entry in self._entries.values():
            return entry.since + self.settings.retention
        return None

    def _record(self, entry: Entry, available_at: int = 0) -> None:
        if self._ledger.keeps:
            name, sequence = self.settings.name, entry.message.sequence
            self._ledger.wait(
                WaitingRecord(
                    name, sequence, entry.since, entry.attempts, available_at, entry.acked
                )
            )


def size_of(message: Message) -> int:
    """Bytes of what the publisher gave."""
    size = len(message.data) + len(message.ordering_key.encode())
    return size + sum(
        len(key.encode()) + len(value.encode()) for key, value in message.attributes.items()
    )
