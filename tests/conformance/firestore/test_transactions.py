"""Transactions: https://firebase.google.com/docs/firestore/manage-data/transactions.

The standard edition locks what a transaction reads:
https://cloud.google.com/firestore/docs/transaction-data-contention.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from google.api_core.exceptions import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    GoogleAPICallError,
    InvalidArgument,
)
from google.cloud.firestore import (
    AsyncClient,
    AsyncTransaction,
    Client,
    CollectionReference,
    Transaction,
    async_transactional,
    transactional,
)
from google.cloud.firestore_v1.base_query import FieldFilter

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference
ONE = {"n": {"integer_value": 1}}


@async_transactional
async def add_one(transaction: AsyncTransaction, document: Any) -> None:
    found = await document.get(transaction=transaction)
    transaction.set(document, {"n": (found.get("n") if found.exists else 0) + 1})


def test_a_transaction_reads_and_writes(db: Client, things: Things) -> None:
    things.document("a").set({"n": 1})

    @transactional
    def move(transaction: Transaction) -> int:
        found = things.document("a").get(transaction=transaction).get("n")
        transaction.delete(things.document("a"))
        transaction.create(things.document("b"), {"n": found})
        return int(found)

    assert move(db.transaction()) == 1
    assert not things.document("a").get().exists
    assert things.document("b").get().to_dict() == {"n": 1}


def test_a_transaction_that_raises_writes_nothing(db: Client, things: Things) -> None:
    @transactional
    def fail(transaction: Transaction) -> None:
        things.document("a").get(transaction=transaction)
        transaction.set(things.document("a"), {"n": 1})
        raise KeyError("changed my mind")

    with pytest.raises(KeyError):
        fail(db.transaction())
    things.document("a").create({"n": 2})


def test_a_transaction_that_cannot_commit_writes_nothing(db: Client, things: Things) -> None:
    things.document("taken").set({})

    @transactional
    def fail(transaction: Transaction) -> None:
        transaction.set(things.document("a"), {})
        transaction.create(things.document("taken"), {})

    with pytest.raises(AlreadyExists):
        fail(db.transaction())
    assert not things.document("a").get().exists


def test_queries_run_in_transactions(db: Client, things: Things) -> None:
    for number in range(3):
        things.document(str(number)).set({"n": number})

    @transactional
    def total(transaction: Transaction) -> int:
        found = things.where(filter=FieldFilter("n", ">", 0)).stream(transaction=transaction)
        amount = sum(each.get("n") for each in found)
        [count] = things.count(alias="c").get(transaction=transaction)
        transaction.set(things.document("total"), {"total": amount, "count": count[0].value})
        return amount

    assert total(db.transaction()) == 3
    assert things.document("total").get().to_dict() == {"total": 3, "count": 3}


async def test_two_writers_both_count(adb: AsyncClient, things: Things) -> None:
    document = adb.collection(things.id).document("counter")
    await document.set({"n": 0})
    await asyncio.gather(*(add_one(adb.transaction(), document) for _ in range(2)))
    assert (await document.get()).get("n") == 2


async def test_eight_contending_writers_lose_nothing(adb: AsyncClient, things: Things) -> None:
    document = adb.collection(things.id).document("counter")
    await document.set({"n": 0})

    async def writer() -> None:
        for _ in range(3):
            await add_one(adb.transaction(), document)

    await asyncio.gather(*(writer() for _ in range(8)))
    assert (await document.get()).get("n") == 24


async def test_a_missing_document_is_made_by_one(adb: AsyncClient, things: Things) -> None:
    document = adb.collection(things.id).document("once")

    @async_transactional
    async def make(transaction: AsyncTransaction, name: str) -> bool:
        if (await document.get(transaction=transaction)).exists:
            return False
        transaction.set(document, {"by": name})
        return True

    made = await asyncio.gather(*(make(adb.transaction(), name) for name in "abc"))
    assert made.count(True) == 1
    assert (await document.get()).get("by") == "abc"[made.index(True)]


async def test_a_query_s_result_is_locked(adb: AsyncClient, things: Things) -> None:
    collection = adb.collection(things.id)

    @async_transactional
    async def make(transaction: AsyncTransaction, name: str) -> bool:
        query = collection.where(filter=FieldFilter("kind", "==", "leader"))
        if [each async for each in query.stream(transaction=transaction)]:
            return False
        transaction.set(collection.document(name), {"kind": "leader"})
        return True

    made = await asyncio.gather(*(make(adb.transaction(), name) for name in "ab"))
    assert made.count(True) == 1


def test_a_writer_outside_waits_for_a_transaction(raw: Raw, things: Things) -> None:
    path = f"{things.id}/a"
    things.document("a").set({"n": 1})
    transaction = raw.begin()
    assert raw.read(path, transaction=transaction)
    outside = threading.Thread(target=things.document("a").update, args=({"outside": True},))
    outside.start()
    outside.join(0.2)
    assert outside.is_alive()
    raw.commit(raw.put(path, {"n": {"integer_value": 2}}), transaction=transaction)
    outside.join(10)
    assert things.document("a").get().to_dict() == {"n": 2, "outside": True}


def test_a_rolled_back_transaction_is_over(raw: Raw, things: Things) -> None:
    path = f"{things.id}/a"
    transaction = raw.begin()
    raw.read(path, transaction=transaction)
    raw.rollback(transaction)
    things.document("a").create({"n": 2})
    with pytest.raises(InvalidArgument):
        raw.commit(raw.put(path, ONE), transaction=transaction)
    assert things.document("a").get().to_dict() == {"n": 2}


def test_a_committed_transaction_is_over(raw: Raw, things: Things) -> None:
    transaction = raw.begin()
    raw.commit(raw.put(f"{things.id}/a", ONE), transaction=transaction)
    with pytest.raises(InvalidArgument):
        raw.commit(raw.put(f"{things.id}/b", ONE), transaction=transaction)
    with pytest.raises(InvalidArgument):
        raw.read(f"{things.id}/a", transaction=transaction)


@pytest.mark.parametrize("transaction", [b"x", b"\x00" * 16])
def test_an_unknown_transaction_is_refused(raw: Raw, things: Things, transaction: bytes) -> None:
    with pytest.raises(InvalidArgument):
        raw.commit(raw.put(f"{things.id}/a", ONE), transaction=transaction)
    with pytest.raises(InvalidArgument):
        raw.read(f"{things.id}/a", transaction=transaction)


def test_a_read_can_begin_a_transaction(raw: Raw, things: Things) -> None:
    request = {"database": raw.database, "documents": [raw.name(f"{things.id}/a")]}
    answers = raw.api.batch_get_documents({**request, "new_transaction": {"read_write": {}}})
    [transaction] = [each.transaction for each in answers if each.transaction]
    raw.commit(raw.put(f"{things.id}/a", ONE), transaction=transaction)
    assert things.document("a").get().to_dict() == {"n": 1}


def test_a_transaction_does_not_read_its_own_writes(raw: Raw, things: Things) -> None:
    things.document("a").set({"n": 1})
    transaction = raw.begin()
    assert raw.read(f"{things.id}/a", transaction=transaction).fields["n"].integer_value == 1
    assert raw.query(things.id, transaction=transaction) == ["a"]
    raw.commit({"delete": raw.name(f"{things.id}/a")}, transaction=transaction)
    assert raw.query(things.id) == []


def test_a_reading_transaction_sees_one_moment(raw: Raw, things: Things) -> None:
    things.document("a").set({"n": 1})
    transaction = raw.begin(read_only={})
    assert raw.read(f"{things.id}/a", transaction=transaction).fields["n"].integer_value == 1
    things.document("a").set({"n": 2})
    things.document("b").set({"n": 3})
    assert raw.read(f"{things.id}/a", transaction=transaction).fields["n"].integer_value == 1
    assert raw.read(f"{things.id}/b", transaction=transaction) is None
    assert raw.query(things.id, transaction=transaction) == ["a"]
    raw.commit(transaction=transaction)


def test_a_reading_transaction_does_not_hold_up_writers(db: Client, things: Things) -> None:
    things.document("a").set({"n": 1})

    @transactional
    def read(transaction: Transaction) -> int:
        found = things.document("a").get(transaction=transaction).get("n")
        things.document("a").set({"n": found + 1})
        return int(found)

    assert read(db.transaction(read_only=True)) == 1
    assert things.document("a").get().get("n") == 2


def test_a_reading_transaction_writes_nothing(raw: Raw, things: Things) -> None:
    transaction = raw.begin(read_only={})
    with pytest.raises((InvalidArgument, FailedPrecondition)):
        raw.commit(raw.put(f"{things.id}/a", ONE), transaction=transaction)
    assert not things.document("a").get().exists


def test_an_aborted_transaction_can_be_begun_again(raw: Raw, things: Things) -> None:
    first = raw.begin()
    raw.read(f"{things.id}/a", transaction=first)
    raw.rollback(first)
    second = raw.begin(read_write={"retry_transaction": first})
    raw.commit(raw.put(f"{things.id}/a", ONE), transaction=second)
    assert things.document("a").get().to_dict() == {"n": 1}


async def test_a_deadlock_ends(adb: AsyncClient, things: Things) -> None:
    first, second = (adb.collection(things.id).document(name) for name in "ab")

    @async_transactional
    async def cross(transaction: AsyncTransaction, one: Any, other: Any) -> None:
        await one.get(transaction=transaction)
        await asyncio.sleep(0.05)
        await other.get(transaction=transaction)
        transaction.set(one, {"by": one.id})
        transaction.set(other, {"by": one.id})

    outcomes = await asyncio.gather(
        cross(adb.transaction(), first, second),
        cross(adb.transaction(), second, first),
        return_exceptions=True,
    )
    assert None in outcomes
    assert all(each is None or isinstance(each, Aborted) for each in outcomes)
    assert (await first.get()).to_dict() == (await second.get()).to_dict()


def test_of_two_transactions_that_crossed_one_aborts(raw: Raw, things: Things) -> None:
    one, other = raw.begin(), raw.begin()
    raw.read(f"{things.id}/a", transaction=one)
    raw.read(f"{things.id}/b", transaction=other)
    outcomes: list[str] = []

    def commit(transaction: bytes, path: str, value: str) -> None:
        try:
            write = raw.put(f"{things.id}/{path}", {value: {"integer_value": 1}})
            raw.commit(write, transaction=transaction)
            outcomes.append("done")
        except Aborted:
            outcomes.append("aborted")
        except GoogleAPICallError as error:
            outcomes.append(type(error).__name__)

    threads = [
        threading.Thread(target=commit, args=(one, "b", "one")),
        threading.Thread(target=commit, args=(other, "a", "other")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["aborted", "done"]
