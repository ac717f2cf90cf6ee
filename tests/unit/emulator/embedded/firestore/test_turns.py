"""Plain reads never wait; writes and transactions wait for their turn, but not for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from random import Random
from typing import Any

import pytest

from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.locks import LockTable
from emulator.embedded.firestore.model import Aggregation, FieldFilter, Operator, Query, Update
from emulator.embedded.firestore.transactions import Mode, Transaction
from emulator.embedded.firestore.turns import Turns
from emulator.embedded.refusal import Refusal, Status

EVERY_C = Query("", "c", where=FieldFilter(("n",), Operator.GREATER_THAN_OR_EQUAL, 0))


def clock() -> int:
    return time.monotonic_ns() // 1000


def turns_of(**limits: int) -> Turns:
    database = Database("projects/p/databases/d", clock, Random(0))
    return Turns(database, clock, locks=LockTable(**limits))


@pytest.fixture
def turns() -> Turns:
    return turns_of(wait=10_000_000)


def put(path: str, n: int = 0) -> Update:
    return Update(path, {"n": n})


def stored(turns: Turns, path: str) -> Any:
    (document,) = turns.database.get([path])
    return None if document is None else document.fields["n"]


async def increment(turns: Turns, path: str) -> None:
    transaction = turns.transactions.begin()
    (document,) = await turns.get([path], transaction)
    n = 0 if document is None else document.fields["n"]
    await asyncio.sleep(0)
    await turns.commit([put(path, n + 1)], transaction.id)


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


async def reader(turns: Turns, *paths: str, mode: Mode = Mode.PESSIMISTIC) -> Transaction:
    """A transaction that has read these documents."""
    transaction = turns.transactions.begin(mode)
    await turns.get(paths, transaction)
    return transaction


async def test_increments_of_one_document_all_count(turns: Turns) -> None:
    await asyncio.gather(*(increment(turns, "c/hot") for _ in range(30)))
    assert stored(turns, "c/hot") == 30


async def test_a_plain_write_waits_for_the_transaction_and_a_plain_read_does_not(
    turns: Turns,
) -> None:
    transaction = await reader(turns, "c/x")
    writing = await pending(turns.commit([put("c/x", 1)]))
    assert await turns.get(["c/x"], None) == [None]
    await turns.commit([put("c/x", 2)], transaction.id)
    await writing
    assert stored(turns, "c/x") == 1


async def test_a_plain_write_is_refused_once_it_has_waited_too_long() -> None:
    turns = turns_of(wait=5_000)
    transaction = await reader(turns, "c/x")
    await refused(turns.commit([put("c/x")]))
    await turns.commit([put("c/x", 2)], transaction.id)
    assert stored(turns, "c/x") == 2


async def test_an_idle_transaction_makes_way_and_learns_of_it() -> None:
    turns = turns_of(wait=10_000_000, idle=5_000)
    transaction = await reader(turns, "c/x")
    await turns.commit([put("c/x", 1)])
    await refused(turns.commit([put("c/x", 2)], transaction.id))
    turns.transactions.rollback(transaction.id)
    assert stored(turns, "c/x") == 1


async def test_a_deadlock_ends_at_once_for_the_younger(turns: Turns) -> None:
    old, young = await reader(turns, "c/a"), await reader(turns, "c/b")
    waiting = await pending(turns.get(["c/b"], old))
    await refused(turns.get(["c/a"], young))
    await waiting
    await turns.commit([put("c/a"), put("c/b")], old.id)


async def test_a_plain_write_survives_a_deadlock(turns: Turns) -> None:
    transaction = await reader(turns, "c/b")
    writing = await pending(turns.commit([put("c/a", 1), put("c/b", 1)]))
    await turns.get(["c/a"], transaction)
    await turns.commit([put("c/a", 2)], transaction.id)
    await writing
    assert (stored(turns, "c/a"), stored(turns, "c/b")) == (1, 1)


async def test_an_abandoned_wait_leaves_no_trace(turns: Turns) -> None:
    transaction = await reader(turns, "c/x")
    for waiting in (
        await pending(turns.commit([put("c/x", 1), put("c/y", 1)])),
        await pending(turns.get(["c/x"], turns.transactions.begin())),
    ):
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await turns.commit([put("c/y", 2)])
    await turns.commit([put("c/x", 2)], transaction.id)
    await turns.commit([put("c/x", 3)])
    assert stored(turns, "c/x") == 3


async def test_a_failed_commit_ends_the_transaction_and_frees_its_documents(turns: Turns) -> None:
    transaction = await reader(turns, "c/x")
    await refused(turns.commit([put("odd")], transaction.id), Status.INVALID_ARGUMENT)
    await turns.commit([put("c/x", 1)])
    await refused(turns.commit([], transaction.id), Status.INVALID_ARGUMENT)
    turns.transactions.rollback(transaction.id)


async def test_two_commits_of_one_transaction_are_one(turns: Turns) -> None:
    blocker, twice = await reader(turns, "c/x"), await reader(turns, "c/y")
    first = await pending(turns.commit([put("c/x", 1)], twice.id))
    second = await pending(turns.commit([put("c/x", 2)], twice.id))
    turns.transactions.rollback(blocker.id)
    await first
    await refused(second, Status.INVALID_ARGUMENT)
    assert stored(turns, "c/x") == 1


async def test_a_query_locks_what_it_finds(turns: Turns) -> None:
    await turns.commit([put("c/1", 1), put("c/2", 2)])
    transaction = turns.transactions.begin()
    await turns.query(EVERY_C, transaction)
    writing = await pending(turns.commit([put("c/1", 7)]))
    await turns.commit([put("c/2", 5)], transaction.id)
    await writing


async def test_a_query_that_waited_finds_what_is_there_now(turns: Turns) -> None:
    await turns.commit([put("c/1", 1)])
    holder, asker = await reader(turns, "c/1"), turns.transactions.begin()
    asking = await pending(turns.query(EVERY_C, asker))
    await turns.commit([put("c/1", -1), put("c/2", 2)], holder.id)
    assert [one.path for one in (await asking).documents] == ["c/2"]
    await pending(turns.commit([put("c/2", 3)]))


@pytest.mark.parametrize("mode", [Mode.PESSIMISTIC, Mode.OPTIMISTIC])
async def test_what_enters_a_result_afterwards_is_a_conflict(turns: Turns, mode: Mode) -> None:
    for read in (
        lambda one: turns.query(EVERY_C, one),
        lambda one: turns.aggregate(EVERY_C, [Aggregation("n", "count")], one),
    ):
        transaction = turns.transactions.begin(mode)
        await read(transaction)
        await turns.commit([put(f"c/{transaction.id!r}")])
        await refused(turns.commit([put("d/sum")], transaction.id))


async def test_an_optimistic_transaction_lets_others_write_and_loses(turns: Turns) -> None:
    transaction = await reader(turns, "c/x", mode=Mode.OPTIMISTIC)
    await turns.commit([put("c/x", 1)])
    await refused(turns.commit([put("c/x", 2)], transaction.id))
    assert stored(turns, "c/x") == 1


async def test_a_read_only_transaction_sees_one_moment_and_holds_up_nobody(turns: Turns) -> None:
    await turns.commit([put("c/x", 1)])
    transaction = turns.transactions.begin_read_only(turns.database.time())
    await turns.commit([put("c/x", 2), put("c/y", 2)])
    (document,) = await turns.get(["c/x"], transaction)
    assert document is not None
    assert document.fields["n"] == 1
    assert len((await turns.query(EVERY_C, transaction)).documents) == 1
    assert await turns.aggregate(EVERY_C, [Aggregation("n", "count")], transaction) == {"n": 1}
    assert turns.read_time(transaction) < turns.read_time(None)
    await turns.commit([], transaction.id)


async def test_a_read_only_transaction_writes_nothing(turns: Turns) -> None:
    transaction = turns.transactions.begin_read_only(0)
    await refused(turns.commit([put("c/x")], transaction.id), Status.INVALID_ARGUMENT)
    assert stored(turns, "c/x") is None


async def test_of_single_writes_only_those_that_wait_in_vain_are_refused() -> None:
    turns = turns_of(wait=5_000)
    await reader(turns, "c/locked")
    first, second, third = await turns.apply_each([put("c/a"), put("c/locked"), put("c/b")])
    assert not isinstance(first, Refusal)
    assert isinstance(second, Refusal)
    assert second.status is Status.ABORTED
    assert not isinstance(third, Refusal)


async def test_a_reset_ends_transactions_and_lets_the_others_go_on(turns: Turns) -> None:
    transaction = await reader(turns, "c/x")
    writing = await pending(turns.commit([put("c/x", 1)]))
    waiting = await pending(turns.get(["c/x"], turns.transactions.begin()))
    turns.reset()
    await writing
    await refused(waiting, Status.INVALID_ARGUMENT)
    await refused(turns.commit([], transaction.id), Status.INVALID_ARGUMENT)
