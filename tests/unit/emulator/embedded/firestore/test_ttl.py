"""Documents that outlive their time to live are deleted when asked, and nothing else is."""

from __future__ import annotations

from random import Random

import pytest

from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.locking_database import LockingDatabase
from emulator.embedded.firestore.model import Change, Delete, Update
from emulator.embedded.firestore.values import Timestamp
from emulator.embedded.refusal import Refusal, Status

MINUTE = 60_000_000


class Clock:
    """Time that stands still until it is set, in microseconds."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(clock) -> Database:
    fields = {"runs": "expire_at", "steps": "meta.`expire.at`"}
    return Database("projects/p/databases/d", clock, Random(1), ttl_field=fields)


def run(path: str, at: object) -> Update:
    return Update(path, {"expire_at": at})


def test_a_document_goes_when_its_time_has_come(database, clock) -> None:
    database.commit([run("runs/1", Timestamp(MINUTE)), run("runs/2", Timestamp(2 * MINUTE))])
    assert (database.expire(), database.next_expiry()) == (0, MINUTE)
    clock.now = MINUTE
    assert (database.expire(), database.next_expiry()) == (1, 2 * MINUTE)
    assert database.get(["runs/1"]) == [None]
    clock.now = 9 * MINUTE
    assert (database.expire(), database.next_expiry()) == (1, None)
    assert database.expire() == 0


async def test_a_transaction_that_read_what_then_expired_is_a_conflict(clock, database) -> None:
    database.commit([run("runs/1", Timestamp(2))])
    store = LockingDatabase(database, clock)
    transaction = store.transactions.begin()
    await store.get(["runs/1"], transaction)
    clock.now = 2
    database.expire()
    with pytest.raises(Refusal) as caught:
        await store.commit([run("runs/1", None)], transaction.id)
    assert caught.value.status is Status.ABORTED


def test_the_watchers_see_all_that_expire_in_one_commit(database, clock) -> None:
    database.commit([run("runs/2", Timestamp(2)), run("runs/1", Timestamp(1))])
    heard: list[list[Change]] = []
    database.watch(lambda _, changes: heard.append(list(changes)))
    clock.now = 5
    database.expire()
    assert [[change.path for change in changes] for changes in heard] == [["runs/1", "runs/2"]]


@pytest.mark.parametrize("value", [None, 0, "1970", 0.0, {"seconds": 0}])
def test_what_is_no_timestamp_never_expires(database, clock, value) -> None:
    database.commit([run("runs/1", value), Update("runs/2", {})])
    clock.now = MINUTE
    assert (database.expire(), database.next_expiry()) == (0, None)


def test_only_collection_groups_with_a_ttl_field_expire_at_any_depth(database, clock) -> None:
    nested = {"meta": {"expire.at": Timestamp(1)}}
    database.commit(
        [run("other/1", Timestamp(1)), Update("runs/1/steps/a", nested), Update("steps/b", nested)]
    )
    clock.now = MINUTE
    assert database.expire() == 2
    assert [one.path for one in database.documents] == ["other/1"]


def test_what_lies_below_an_expired_document_stays(database, clock) -> None:
    database.commit([run("runs/1", Timestamp(1)), Update("runs/1/logs/a", {})])
    clock.now = MINUTE
    database.expire()
    assert database.documents.missing("runs") == ["runs/1"]


def test_a_time_that_is_moved_or_taken_away_counts_no_more(database, clock) -> None:
    database.commit([run("runs/1", Timestamp(1)), run("runs/2", Timestamp(1))])
    database.commit([run("runs/1", Timestamp(MINUTE)), run("runs/2", None)])
    database.commit([run("runs/3", Timestamp(1))])
    database.commit([Delete("runs/3")])
    clock.now = 5
    assert (database.expire(), database.next_expiry()) == (0, MINUTE)
    database.commit([run("runs/1", Timestamp(1))])
    database.commit([run("runs/1", Timestamp(2))])
    database.commit([run("runs/1", Timestamp(1))])
    assert database.expire() == 1


def test_times_that_are_moved_again_and_again_take_no_more_room(database) -> None:
    for at in range(1_000):
        database.commit([run("runs/1", Timestamp(at + 1))])
    assert len(database._expiry._heap) < 100
    assert database.next_expiry() == 1_000


def test_a_ttl_field_must_be_a_field_path(clock) -> None:
    with pytest.raises(Refusal, match="Invalid property path"):
        Database("projects/p/databases/d", clock, Random(1), ttl_field={"runs": "a b"})
