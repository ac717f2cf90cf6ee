"""One database as the service uses it: transactions, and writes that wait for their turn.

Makes awaitables of the pure lock table. Must not know protobuf or gRPC.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from itertools import compress
from typing import TypeVar

from emulator.embedded.firestore.aggregation import aggregate
from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.locks import LockTable, Owner, State, Ticket
from emulator.embedded.firestore.model import (
    Aggregation,
    Committed,
    Document,
    Query,
    Write,
    Written,
)
from emulator.embedded.firestore.run_query import QueryResult, run_query
from emulator.embedded.firestore.transactions import (
    Ending,
    Mode,
    Transaction,
    Transactions,
    contention,
)
from emulator.embedded.firestore.values import Value
from emulator.embedded.refusal import Refusal, Status, invalid

T = TypeVar("T")


class LockingDatabase:
    """All methods raise Refusal. Whoever waits is served or refused within the lock table's wait.

    Plain reads never wait; plain writes wait for transactions.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], int],
        *,
        optimistic: bool = False,
        locks: LockTable | None = None,
    ) -> None:
        self.database = database
        self._locks = locks or LockTable()
        self.transactions = Transactions(
            database.documents, clock, self._locks, optimistic=optimistic
        )
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None

    def read_time(self, transaction: Transaction | None) -> int:
        """The time as of which the transaction, or a plain read, sees the documents."""
        if transaction is not None and transaction.snapshot is not None:
            return transaction.read_time
        return self.database.time()

    async def get(
        self, paths: Sequence[str], transaction: Transaction | None
    ) -> list[Document | None]:
        """In the order asked; None where there is no document."""
        if transaction is None:
            return self.database.get(paths)
        if transaction.snapshot is not None:
            return [transaction.snapshot.get(path) for path in paths]
        await self._lock(transaction, paths)
        self.transactions.note_reads(transaction, paths)
        return self.database.get(paths)

    async def query(self, query: Query, transaction: Transaction | None) -> QueryResult:
        """In a pessimistic transaction the documents found are locked, and found again."""
        if transaction is None:
            return run_query(self.database, query)
        if transaction.snapshot is not None:
            return run_query(self.database, query, snapshot=transaction.snapshot)
        result = run_query(self.database, query)
        while not _holds_all(transaction, result):
            await self._lock(transaction, [one.path for one in result.documents])
            result = run_query(self.database, query)

        def again() -> Hashable:
            return _versions(run_query(self.database, query))

        self.transactions.note_query(transaction, _versions(result), again)
        return result

    async def aggregate(
        self, query: Query, wanted: Sequence[Aggregation], transaction: Transaction | None
    ) -> dict[str, Value]:
        """As a query, of which only the aggregates are returned."""
        if transaction is None:
            return aggregate(self.database, query, wanted)
        if transaction.snapshot is not None:
            return aggregate(self.database, query, wanted, snapshot=transaction.snapshot)
        await self.query(query, transaction)
        return aggregate(self.database, query, wanted)

    async def commit(self, writes: Sequence[Write], identifier: bytes = b"") -> Committed:
        """Atomic. `identifier` names a transaction, which is over then, whatever happens."""
        paths = [write.path for write in writes]
        if not identifier:
            return await self._alone(paths, lambda: self.database.commit(writes))
        transaction = self.transactions.find(identifier)
        try:
            committed = await self._commit(transaction, paths, writes)
        except Refusal as refusal:
            lost = refusal.status is Status.ABORTED
            self.transactions.end(transaction, Ending.LOST if lost else Ending.FAILED)
            raise
        self.transactions.end(transaction, Ending.COMMITTED)
        return committed

    async def apply_each(self, writes: Sequence[Write]) -> list[Written | Refusal]:
        """Each write by itself; those that wait in vain are refused, the others are made."""
        paths = [write.path for write in writes]
        try:
            return await self._alone(paths, lambda: self.database.apply_each(writes))
        except Refusal as refusal:
            if refusal.status is not Status.ABORTED:
                raise
            ready = [self._locks.free((path,)) for path in paths]
            made = iter(self.database.apply_each(list(compress(writes, ready))))
            return [next(made) if free else refusal for free in ready]

    def reset(self) -> None:
        """Ends all transactions and forgets all documents."""
        self.transactions.reset()
        self.database.reset()

    async def _commit(
        self, transaction: Transaction, paths: Sequence[str], writes: Sequence[Write]
    ) -> Committed:
        if transaction.mode is Mode.READ_ONLY:
            if writes:
                raise invalid("Cannot modify entities in a read-only transaction.")
            return Committed(transaction.read_time, ())
        await self._settled(transaction.owner, paths)
        self.transactions.find(transaction.id)  # it may have ended while it waited
        self.transactions.verify(transaction)
        return self.database.commit(writes)

    async def _alone(self, paths: Sequence[str], act: Callable[[], T]) -> T:
        """Acts once nobody else holds any of the paths."""
        self.transactions.forget_expired()
        if self._locks.free(paths):
            return act()
        deadline = self._clock() + self._locks.wait
        state = State.DEADLOCKED
        while state is State.DEADLOCKED:  # it holds nothing any more and can just queue again
            owner = self.transactions.owner(expendable=True)
            try:
                state = await self._settled(owner, paths, deadline)
                if state is State.GRANTED:
                    return act()
            finally:
                self._locks.release(owner, self._clock())
        raise contention()

    async def _lock(self, transaction: Transaction, paths: Sequence[str]) -> None:
        if transaction.mode is Mode.PESSIMISTIC:
            await self._settled(transaction.owner, paths)
            self.transactions.find(transaction.id)  # it may have ended while it waited

    async def _settled(
        self, owner: Owner, paths: Sequence[str], deadline: int | None = None
    ) -> State:
        ticket = self._locks.acquire(owner, paths, self._clock(), deadline=deadline)
        if ticket.state is State.WAITING:
            await self._wait(ticket)
        return ticket.state

    async def _wait(self, ticket: Ticket) -> None:
        settled = asyncio.Event()
        ticket.settled = settled.set
        self._arm()
        try:
            await settled.wait()
        finally:
            self._locks.withdraw(ticket, self._clock())

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self._locks.next_event()
        if at is not None:
            delay = max(0, at - self._clock()) / 1_000_000
            self._timer = asyncio.get_running_loop().call_later(delay, self._advance)

    def _advance(self) -> None:
        self._locks.advance(self._clock())
        self._arm()


def _holds_all(transaction: Transaction, result: QueryResult) -> bool:
    if transaction.mode is not Mode.PESSIMISTIC:
        return True
    return all(one.path in transaction.owner.held for one in result.documents)


def _versions(result: QueryResult) -> Hashable:
    return tuple((one.path, one.updated_at) for one in result.documents)
