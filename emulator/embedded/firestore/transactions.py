"""Transactions of one database: what each has read, when it ends, and whether it may commit.

Decides expiry and conflicts; limits: https://firebase.google.com/docs/firestore/quotas. Time comes
from `clock`. Must not know asyncio, protobuf or how queries run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from emulator.embedded.firestore.locks import LockTable, Owner
from emulator.embedded.firestore.model import Document
from emulator.embedded.firestore.snapshot import Snapshot
from emulator.embedded.refusal import Refusal, Status, invalid

LONGEST = 270_000_000
LONGEST_IDLE = 60_000_000
_REMEMBERED = 10_000
_GONE = "The referenced transaction has expired or is no longer valid."
_CONTENTION = "Too much contention on these documents. Please try again."


class Mode(Enum):
    """How a transaction keeps others from disturbing it."""

    PESSIMISTIC = "pessimistic"
    OPTIMISTIC = "optimistic"
    READ_ONLY = "read-only"


class Ending(Enum):
    """How a transaction ended. Clients roll back what was lost or failed, and may."""

    COMMITTED = "committed"
    EXPIRED = "expired"
    LOST = "lost"  # to somebody else
    FAILED = "failed"  # or rolled back


class Readable(Protocol):
    """The documents that transactions read."""

    def get(self, path: str) -> Document | None: ...

    def snapshot(self) -> Snapshot: ...


@dataclass(eq=False, slots=True)
class Transaction:
    """One transaction. `owner` holds its locks; `snapshot` is what a read-only one reads."""

    id: bytes
    mode: Mode
    owner: Owner
    begun_at: int
    snapshot: Snapshot | None = None
    read_time: int = 0
    reads: dict[str, int | None] = field(default_factory=dict)
    checks: list[tuple[Callable[[], Hashable], Hashable]] = field(default_factory=list)


def contention() -> Refusal:
    """Somebody else was there first; the client is to try again."""
    return Refusal(Status.ABORTED, _CONTENTION)


class Transactions:
    """Ids are opaque, and never used twice, not even across `reset`."""

    def __init__(
        self,
        documents: Readable,
        clock: Callable[[], int],
        locks: LockTable,
        *,
        optimistic: bool = False,
    ) -> None:
        self._locks = locks
        self._documents = documents
        self._clock = clock
        self._default = Mode.OPTIMISTIC if optimistic else Mode.PESSIMISTIC
        self._open: dict[bytes, Transaction] = {}
        self._ended: dict[bytes, tuple[Ending, int]] = {}
        self._count = 0
        self._first = clock()  # keeps the ids apart from those of an earlier process

    def owner(self, *, retry: bytes = b"", expendable: bool = False) -> Owner:
        """Somebody who can hold locks. A retry is as old as what it retries."""
        self._count += 1
        order = self._order_of(retry) if retry else self._count
        return Owner(order, self._clock(), expendable)

    def begin(self, mode: Mode | None = None, *, retry: bytes = b"") -> Transaction:
        """A read-write transaction, pessimistic unless told otherwise.

        `retry` names a failed one; its place in line is kept.
        """
        mode = mode or self._default
        owner = self.owner(retry=retry)
        self.forget_expired()
        now = owner.seen_at
        transaction = Transaction(b"%d.%d" % (self._first, self._count), mode, owner, now)
        self._open[transaction.id] = transaction
        return transaction

    def begin_read_only(self, read_time: int) -> Transaction:
        """Reads the documents as they are now, at `read_time`."""
        transaction = self.begin(Mode.READ_ONLY)
        transaction.snapshot = self._documents.snapshot()
        transaction.read_time = read_time
        return transaction

    def find(self, identifier: bytes) -> Transaction:
        """The open transaction, which has thereby been heard of.

        Raises ABORTED where it lost its locks, INVALID_ARGUMENT where it is over or unknown.
        """
        transaction = self._open.get(identifier)
        if transaction is None:
            raise self._why_gone(identifier)
        now = self._clock()
        if self._expired(transaction, now):
            self.end(transaction, Ending.EXPIRED)
            raise invalid(_GONE)
        self._check_held(transaction)
        self._locks.touch(transaction.owner, now)
        self._open[identifier] = self._open.pop(identifier)  # now the last to be forgotten
        return transaction

    def _check_held(self, transaction: Transaction) -> None:
        """Raises ABORTED, and ends the transaction, where others took its locks."""
        if transaction.owner.lost is not None:
            self.end(transaction, Ending.LOST)
            raise contention()

    def note_reads(self, transaction: Transaction, paths: Iterable[str]) -> None:
        """What the transaction reads must not change before it commits."""
        if transaction.mode is not Mode.READ_ONLY:
            for path in paths:
                transaction.reads.setdefault(path, self._version(path))

    def note_query(
        self, transaction: Transaction, seen: Hashable, again: Callable[[], Hashable]
    ) -> None:
        """`again` computes a result that must not change before the transaction commits."""
        if transaction.mode is not Mode.READ_ONLY:
            transaction.checks.append((again, seen))

    def verify(self, transaction: Transaction) -> None:
        """Raises ABORTED where anything that the transaction has read is not as it was."""
        changed = any(seen != self._version(path) for path, seen in transaction.reads.items())
        if changed or any(again() != seen for again, seen in transaction.checks):
            raise contention()

    def end(self, transaction: Transaction, how: Ending) -> None:
        """Gives its locks back. Safe to call twice; the first call counts."""
        if self._open.pop(transaction.id, None) is None:
            return
        self._ended[transaction.id] = (how, transaction.owner.order)
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]
        self._locks.release(transaction.owner, self._clock())

    def forget_expired(self) -> None:
        """Ends those that nobody will finish any more: they hold locks, and snapshots that grow."""
        while self._open:  # who was heard of longest ago comes first
            transaction = next(iter(self._open.values()))
            if not self._expired(transaction, self._clock()):
                return
            self.end(transaction, Ending.EXPIRED)

    def rollback(self, identifier: bytes) -> None:
        """Also accepts a transaction that failed, since clients roll those back."""
        how, _ = self._ended.get(identifier, (None, 0))
        if how in {Ending.LOST, Ending.FAILED}:
            return
        transaction = self._open.get(identifier)
        if transaction is None:
            raise self._why_gone(identifier)
        self.end(transaction, Ending.FAILED)

    def reset(self) -> None:
        """Ends all of them."""
        for transaction in list(self._open.values()):
            self.end(transaction, Ending.EXPIRED)

    def _version(self, path: str) -> int | None:
        document = self._documents.get(path)
        return None if document is None else document.updated_at

    def _order_of(self, identifier: bytes) -> int:
        if identifier in self._open:
            return self._open[identifier].owner.order
        _, order = self._ended.get(identifier, (None, self._count))
        return order

    def _why_gone(self, identifier: bytes) -> Refusal:
        if identifier not in self._ended:
            return invalid("Invalid transaction.")
        how, _ = self._ended[identifier]
        return contention() if how is Ending.LOST else invalid(_GONE)

    def _expired(self, transaction: Transaction, now: int) -> bool:
        if now - transaction.begun_at >= LONGEST:
            return True
        waiting = bool(transaction.owner.tickets)
        return not waiting and now - transaction.owner.seen_at >= LONGEST_IDLE
