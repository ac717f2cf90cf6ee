"""Plain reads never wait; writes and transactions wait for their turn, but not for long."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Awaitable
from random import Random
from typing import Any

import pytest

from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.locking_database import LockingDatabase
from emulator.embedded.firestore.locks import LockTable
from emulator.embedded.firestore.model import Aggregation, FieldFilter, Operator, Query, Update
from emulator.embedded.firestore.transactions import Mode, Transaction
from emulator.embedded.refusal import Refusal, Status

EVERY_C = Query("", "c", where=FieldFilter(("n",), Operator.GREATER_THAN_OR_EQUAL, 0))


def clock() -> int:
    return time.monotonic_ns() // 1000


def store_of(**limits: int) -> LockingDatabase:
    database = Database("projects/p/databases/d", clock, Random(0))
    return LockingDatabase(database, clock, locks=LockTable(**limits))


@pytest.fixture
def store() -> LockingDatabase:
    return store_of(wait=10_000_000)


def put(path: str, n: int = 0) -> Update:
    return Update(path, {"n": n})


def stored(store: LockingDatabase, path: str) -> Any:
    (document,) = store.database.get([path])
    return None if document is None else document.fields["n"]


async def increment(store: LockingDatabase, path: str) -> None:
    transaction = store.transactions.begin()
    (document,) = await store.get([path], transaction)
    n = 0 if document is None else document.fields["n"]
    await asyncio.sleep(0)
    await store.commit([put(path, n + 1)], transaction.id)


async def pending(awaitable: Awaitable[Any]) -> asyncio.Future[Any]:
    """Begun, and still waiting after everything else has run."""
    future = asyncio.ensure_future(awaitable)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not future.done()
    return future


async def refused(awaitable: Awaitable[Any], status: Status = Status.ABORTED) -> None:
    with pytest.raises(Refusal) as caught:
        await awaitable
    assert caught.value.status is status


async def reader(store: LockingDatabase, *paths: str, mode: Mode = Mode.PESSIMISTIC) -> Transaction:
    """A transaction that has read these documents."""
    transaction = store.transactions.begin(mode)
    await store.get(paths, transaction)
    return transaction


async def test_increments_of_one_document_all_count(store: LockingDatabase) -> None:
    await asyncio.gather(*(increment(store, "c/hot") for _ in range(30)))
    assert stored(store, "c/hot") == 30


async def test_a_plain_write_waits_for_the_transaction_and_a_plain_read_does_not(
    store: LockingDatabase,
) -> None:
    transaction = await reader(store, "c/x")
    writing = await pending(store.commit([put("c/x", 1)]))
    assert await store.get(["c/x"], None) == [None]
    await store.commit([put("c/x", 2)], transaction.id)
    await writing
    assert stored(store, "c/x") == 1


async def test_a_plain_write_is_refused_once_it_has_waited_too_long() -> None:
    store = store_of(wait=5_000)
    transaction = await reader(store, "c/x")
    await refused(store.commit([put("c/x")]))
    await store.commit([put("c/x", 2)], transaction.id)
    assert stored(store, "c/x") == 2


async def test_an_idle_transaction_makes_way_and_learns_of_it() -> None:
    store = store_of(wait=10_000_000, idle=5_000)
    transaction = await reader(store, "c/x")
    await store.commit([put("c/x", 1)])
    await refused(store.commit([put("c/x", 2)], transaction.id))
    store.transactions.rollback(transaction.id)
    assert stored(store, "c/x") == 1


async def test_a_deadlock_ends_at_once_for_the_younger(store: LockingDatabase) -> None:
    old, young = await reader(store, "c/a"), await reader(store, "c/b")
    waiting = await pending(store.get(["c/b"], old))
    await refused(store.get(["c/a"], young))
    await waiting
    await store.commit([put("c/a"), put("c/b")], old.id)


async def test_a_plain_write_survives_a_deadlock(store: LockingDatabase) -> None:
    transaction = await reader(store, "c/b")
    writing = await pending(store.commit([put("c/a", 1), put("c/b", 1)]))
    await store.get(["c/a"], transaction)
    await store.commit([put("c/a", 2)], transaction.id)
    await writing
    assert (stored(store, "c/a"), stored(store, "c/b")) == (1, 1)


async def test_an_abandoned_wait_leaves_no_trace(store: LockingDatabase) -> None:
    transaction = await reader(store, "c/x")
    for waiting in (
        await pending(store.commit([put("c/x", 1), put("c/y", 1)])),
        await pending(store.get(["c/x"], store.transactions.begin())),
    ):
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await store.commit([put("c/y", 2)])
    await store.commit([put("c/x", 2)], transaction.id)
    await store.commit([put("c/x", 3)])
    assert stored(store, "c/x") == 3


async def test_a_failed_commit_ends_the_transaction_and_frees_its_documents(
    store: LockingDatabase,
) -> None:
    transaction = await reader(store, "c/x")
    await refused(store.commit([put("odd")], transaction.id), Status.INVALID_ARGUMENT)
    await store.commit([put("c/x", 1)])
    await refused(store.commit([], transaction.id), Status.INVALID_ARGUMENT)
    store.transactions.rollback(transaction.id)


async def test_two_commits_of_one_transaction_are_one(store: LockingDatabase) -> None:
    blocker, twice = await reader(store, "c/x"), await reader(store, "c/y")
    first = await pending(store.commit([put("c/x", 1)], twice.id))
    second = await pending(store.commit([put("c/x", 2)], twice.id))
    store.transactions.rollback(blocker.id)
    await first
    await refused(second, Status.INVALID_ARGUMENT)
    assert stored(store, "c/x") == 1


async def test_a_query_locks_what_it_finds(store: LockingDatabase) -> None:
    await store.commit([put("c/1", 1), put("c/2", 2)])
    transaction = store.transactions.begin()
    await store.query(EVERY_C, transaction)
    writing = await pending(store.commit([put("c/1", 7)]))
    await store.commit([put("c/2", 5)], transaction.id)
    await writing


async def test_a_query_that_waited_finds_what_is_there_now(store: LockingDatabase) -> None:
    await store.commit([put("c/1", 1)])
    holder, asker = await reader(store, "c/1"), store.transactions.begin()
    asking = await pending(store.query(EVERY_C, asker))
    await store.commit([put("c/1", -1), put("c/2", 2)], holder.id)
    assert [one.path for one in (await asking).documents] == ["c/2"]
    await pending(store.commit([put("c/2", 3)]))


@pytest.mark.parametrize("mode", [Mode.PESSIMISTIC, Mode.OPTIMISTIC])
async def test_what_enters_a_result_afterwards_is_a_conflict(
    store: LockingDatabase, mode: Mode
) -> None:
    for read in (
        lambda one: store.query(EVERY_C, one),
        lambda one: store.aggregate(EVERY_C, [Aggregation("n", "count")], one),
    ):
        transaction = store.transactions.begin(mode)
        await read(transaction)
        await store.commit([put(f"c/{transaction.id!r}")])
        await refused(store.commit([put("d/sum")], transaction.id))


async def test_an_optimistic_transaction_lets_others_write_and_loses(
    store: LockingDatabase,
) -> None:
    transaction = await reader(store, "c/x", mode=Mode.OPTIMISTIC)
    await store.commit([put("c/x", 1)])
    await refused(store.commit([put("c/x", 2)], transaction.id))
    assert stored(store, "c/x") == 1


async def test_a_read_only_transaction_sees_one_moment_and_holds_up_nobody(
    store: LockingDatabase,
) -> None:
    await store.commit([put("c/x", 1)])
    transaction = store.transactions.begin_read_only(store.database.time())
    await store.commit([put("c/x", 2), put("c/y", 2)])
    (document,) = await store.get(["c/x"], transaction)
    assert document is not None
    assert document.fields["n"] == 1
    assert len((await store.query(EVERY_C, transaction)).documents) == 1
    assert await store.aggregate(EVERY_C, [Aggregation("n", "count")], transaction) == {"n": 1}
    assert store.read_time(transaction) < store.read_time(None)
    await store.commit([], transaction.id)


async def test_an_abandoned_snapshot_does_not_grow_with_what_is_written() -> None:
    now = [0]
    store = LockingDatabase(
        Database("projects/p/databases/d", lambda: now[0], Random(0)), lambda: now[0]
    )
    snapshot = store.transactions.begin_read_only(0).snapshot
    assert snapshot is not None
    gone = weakref.ref(snapshot)
    del snapshot
    await store.commit([put("c/x")])
    now[0] = 60_000_000
    await store.commit([put("c/y")])
    gc.collect()
    assert gone() is None


async def test_a_read_only_transaction_writes_nothing(store: LockingDatabase) -> None:
    transaction = store.transactions.begin_read_only(0)
    await refused(store.commit([put("c/x")], transaction.id), Status.INVALID_ARGUMENT)
    assert stored(store, "c/x") is None


async def test_of_single_writes_only_those_that_wait_in_vain_are_refused() -> None:
    store = store_of(wait=5_000)
    await reader(store, "c/locked")
    first, second, third = await store.apply_each([put("c/a"), put("c/locked"), put("c/b")])
    assert not isinstance(first, Refusal)
    assert isinstance(second, Refusal)
    assert second.status is Status.ABORTED
    assert not isinstance(third, Refusal)


async def test_a_reset_ends_transactions_and_lets_the_others_go_on(store: LockingDatabase) -> None:
    transaction = await reader(store, "c/x")
    writing = await pending(store.commit([put("c/x", 1)]))
    waiting = await pending(store.get(["c/x"], store.transactions.begin()))
    store.reset()
    await writing
    await refused(waiting, Status.INVALID_ARGUMENT)
    await refused(store.commit([], transaction.id), Status.INVALID_ARGUMENT)
