"""Transactions end in time, notice what others changed, and can be retried and rolled back."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from emulator.embedded.firestore.documents import Documents
from emulator.embedded.firestore.locks import LockTable, State
from emulator.embedded.firestore.model import Document
from emulator.embedded.firestore.transactions import Ending, Mode, Transactions
from emulator.embedded.refusal import Refusal, Status

SECOND = 1_000_000


@dataclass
class World:
    """Documents, locks and transactions under a clock that is set by hand."""

    now: int = 0

    def __post_init__(self) -> None:
        self.documents = Documents()
        self.locks = LockTable()
        self.transactions = Transactions(self.documents, lambda: self.now, self.locks)

    def put(self, path: str, at: int) -> None:
        self.documents.put(Document(path, {"at": at}, 1, at))

    def refused(self, identifier: bytes) -> Status:
        with pytest.raises(Refusal) as caught:
            self.transactions.find(identifier)
        return caught.value.status


@pytest.fixture
def world() -> World:
    return World()


def test_a_transaction_is_found_until_it_ends(world: World) -> None:
    begun = world.transactions.begin()
    assert world.transactions.find(begun.id) is begun
    assert begun.mode is Mode.PESSIMISTIC
    world.transactions.end(begun, Ending.COMMITTED)
    world.transactions.end(begun, Ending.FAILED)
    assert world.refused(begun.id) is Status.INVALID_ARGUMENT


def test_optimistic_is_a_default_or_a_wish(world: World) -> None:
    optimistic = Transactions(world.documents, lambda: 0, world.locks, optimistic=True)
    assert optimistic.begin().mode is Mode.OPTIMISTIC
    assert optimistic.begin(Mode.PESSIMISTIC).mode is Mode.PESSIMISTIC
    assert world.transactions.begin(Mode.OPTIMISTIC).mode is Mode.OPTIMISTIC


def test_an_unknown_transaction_is_invalid(world: World) -> None:
    assert world.refused(b"no such") is Status.INVALID_ARGUMENT
    with pytest.raises(Refusal, match="Invalid transaction"):
        world.transactions.rollback(b"no such")


def test_a_transaction_expires_when_it_is_idle_for_a_minute(world: World) -> None:
    begun = world.transactions.begin()
    world.now = 59 * SECOND
    world.transactions.find(begun.id)
    world.now = 118 * SECOND
    world.transactions.find(begun.id)
    world.now = 178 * SECOND
    with pytest.raises(Refusal, match="expired or is no longer valid") as caught:
        world.transactions.find(begun.id)
    assert caught.value.status is Status.INVALID_ARGUMENT


def test_a_transaction_expires_after_270_seconds_however_busy(world: World) -> None:
    begun = world.transactions.begin()
    for world.now in range(0, 270 * SECOND, 30 * SECOND):
        world.transactions.find(begun.id)
    world.now = 270 * SECOND
    assert world.refused(begun.id) is Status.INVALID_ARGUMENT


def test_an_expired_transaction_holds_nothing(world: World) -> None:
    begun = world.transactions.begin()
    world.locks.acquire(begun.owner, ["a/b"], 0)
    world.now = 300 * SECOND
    world.transactions.begin()
    assert world.locks.free(["a/b"])
    assert world.refused(begun.id) is Status.INVALID_ARGUMENT


def test_what_nobody_will_finish_is_forgotten_and_what_is_in_use_is_not(world: World) -> None:
    busy, idle = world.transactions.begin(), world.transactions.begin_read_only(0)
    assert idle.snapshot is not None
    world.now = 59 * SECOND
    world.transactions.find(busy.id)
    world.now = 60 * SECOND
    world.transactions.forget_expired()
    assert world.transactions.find(busy.id) is busy
    with pytest.raises(Refusal, match="expired or is no longer valid"):
        world.transactions.rollback(idle.id)


def test_who_lost_its_locks_is_told_to_try_again_and_may_roll_back(world: World) -> None:
    begun = world.transactions.begin()
    world.locks.acquire(begun.owner, ["a/b"], 0)
    world.locks.acquire(world.transactions.owner(), ["a/b"], 2 * SECOND)
    world.locks.advance(2 * SECOND)
    assert begun.owner.lost is State.IDLE
    assert world.refused(begun.id) is Status.ABORTED
    assert world.refused(begun.id) is Status.ABORTED
    world.transactions.rollback(begun.id)


def test_a_rollback_gives_the_locks_back(world: World) -> None:
    begun = world.transactions.begin()
    world.locks.acquire(begun.owner, ["a/b"], 0)
    world.transactions.rollback(begun.id)
    assert world.locks.free(["a/b"])
    world.transactions.rollback(begun.id)
    assert world.refused(begun.id) is Status.INVALID_ARGUMENT


def test_what_is_committed_cannot_be_rolled_back(world: World) -> None:
    begun = world.transactions.begin()
    world.transactions.end(begun, Ending.COMMITTED)
    with pytest.raises(Refusal, match="no longer valid"):
        world.transactions.rollback(begun.id)


def test_a_retry_is_as_old_as_the_first_attempt(world: World) -> None:
    first = world.transactions.begin()
    other = world.transactions.begin()
    world.transactions.end(first, Ending.LOST)
    again = world.transactions.begin(retry=first.id)
    assert again.owner.order == first.owner.order < other.owner.order
    third = world.transactions.begin(retry=again.id)
    assert third.owner.order == first.owner.order
    assert world.transactions.begin(retry=b"unknown").owner.order > other.owner.order


@pytest.mark.parametrize("change", ["update", "delete", "create"])
def test_a_change_of_what_was_read_is_a_conflict(world: World, change: str) -> None:
    world.put("c/d", 1)
    begun = world.transactions.begin(Mode.OPTIMISTIC)
    world.transactions.note_reads(begun, ["c/d", "c/new"])
    world.transactions.verify(begun)
    if change == "update":
        world.put("c/d", 2)
    elif change == "delete":
        world.documents.remove("c/d")
    else:
        world.put("c/new", 2)
    world.transactions.note_reads(begun, ["c/d", "c/new"])  # the first read counts
    with pytest.raises(Refusal, match="Too much contention") as caught:
        world.transactions.verify(begun)
    assert caught.value.status is Status.ABORTED


def test_a_query_with_another_result_is_a_conflict(world: World) -> None:
    begun = world.transactions.begin()
    world.put("c/d", 1)
    world.transactions.note_query(begun, 1, lambda: len(world.documents))
    world.transactions.verify(begun)
    world.put("c/phantom", 1)
    with pytest.raises(Refusal, match="Too much contention"):
        world.transactions.verify(begun)


def test_a_read_only_transaction_sees_one_moment(world: World) -> None:
    world.put("c/d", 1)
    begun = world.transactions.begin_read_only(7)
    world.put("c/d", 9)
    world.transactions.note_reads(begun, ["c/d"])
    assert begun.snapshot is not None
    document = begun.snapshot.get("c/d")
    assert document is not None
    assert (document.updated_at, begun.read_time) == (1, 7)
    world.put("c/d", 10)
    world.transactions.verify(begun)


def test_a_reset_ends_them_all(world: World) -> None:
    begun = [world.transactions.begin() for _ in range(3)]
    world.locks.acquire(begun[0].owner, ["a/b"], 0)
    world.transactions.reset()
    assert {world.refused(one.id) for one in begun} == {Status.INVALID_ARGUMENT}
    assert world.locks.free(["a/b"])


def test_ids_differ_from_those_of_an_earlier_process(world: World) -> None:
    later = Transactions(world.documents, lambda: 5, LockTable())
    assert later.begin().id != world.transactions.begin().id
