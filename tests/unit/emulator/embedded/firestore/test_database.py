"""Commits: atomic, ordered in time, watched, kept in the journal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.model import (
    Change,
    Delete,
    Document,
    Numeric,
    Precondition,
    ServerTime,
    Transforms,
    Update,
)
from emulator.embedded.refusal import Refusal, Status

NAME = "projects/p/databases/d"
EXISTS, ABSENT = Precondition(exists=True), Precondition(exists=False)
BIG = {"a": "x" * 600_000, "b": "y" * 600_000}


class Clock:
    """Time that stands still until it is set, in microseconds."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


class Memory:
    """Implements `Journal` in memory."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {}

    def put(self, table: str, key: str, record: Any) -> None:
        self.tables.setdefault(table, {})[key] = record

    def delete(self, table: str, key: str) -> None:
        self.tables[table].pop(key, None)

    def records(self, table: str) -> Iterator[tuple[str, Any]]:
        return iter(self.tables.get(table, {}).items())

    def flush(self) -> None: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(clock) -> Database:
    return Database(NAME, clock, Random(1))


def update(path: str, precondition: Precondition | None = None, **fields: Any) -> Update:
    return Update(path, fields, precondition=precondition or Precondition())


def refusal(database: Database, *writes) -> Refusal:
    with pytest.raises(Refusal) as refused:
        database.commit(writes)
    return refused.value


def test_a_commit_tells_its_time_and_one_result_a_write(database) -> None:
    committed = database.commit([update("a/b", x=1), Delete("a/c")])
    assert committed.at == 1_000
    assert [one.updated_at for one in committed.results] == [1_000, None]
    assert database.get(["a/b", "a/c"]) == [Document("a/b", {"x": 1}, 1_000, 1_000), None]


def test_commit_times_increase_where_the_clock_stands_still_or_goes_back(database, clock) -> None:
    first = database.commit([update("a/b", x=1)]).at
    second = database.commit([]).at
    clock.now = 10
    assert first < second < database.commit([update("a/b", x=2)]).at


def test_a_commit_is_later_than_every_read_before_it(database) -> None:
    assert database.time() < database.commit([update("a/b")]).at <= database.time()


def test_all_is_written_or_nothing(database) -> None:
    heard = []
    database.watch(lambda _, changes: heard.append(changes))
    refused = refusal(database, update("a/b", x=1), update("a/none", EXISTS, x=1))
    assert (refused.status, refused.message) == (
        Status.NOT_FOUND,
        f"No document to update: {NAME}/documents/a/none",
    )
    assert database.get(["a/b"]) == [None]
    assert heard == []


def test_writes_of_a_commit_see_each_other(database) -> None:
    increment = Transforms("a/b", (Numeric(("x",), "increment", 1),))
    committed = database.commit([update("a/b", x=1), increment, increment])
    assert [one.transformed for one in committed.results] == [(), (2,), (3,)]
    assert {one.updated_at for one in committed.results} == {committed.at}


def test_a_document_deleted_and_written_again_in_one_commit_is_new(database) -> None:
    database.commit([update("a/b", x=1)])
    at = database.commit([Delete("a/b"), update("a/b", x=1)]).at
    [document] = database.get(["a/b"])
    assert document == Document("a/b", {"x": 1}, at, at)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (update("a/b"), update("a/b", ABSENT), "upsert then insert"),
        (update("a/b", ABSENT), update("a/b", ABSENT), "insert then insert"),
        (update("a/b"), Delete("a/b", ABSENT), "upsert then delete"),
        (Delete("a/b"), update("a/b", EXISTS), "delete then update"),
        (Delete("a/b"), Delete("a/b", EXISTS), "delete then delete"),
        (Delete("a/b", EXISTS), Delete("a/b", EXISTS), "delete then delete"),
        (Transforms("a/b", (ServerTime(("t",)),)), update("a/b", ABSENT), "upsert then insert"),
    ],
)
def test_writes_that_rule_each_other_out_are_a_wrong_request(
    database, first, second, words
) -> None:
    refused = refusal(database, update("a/none", EXISTS), first, second)
    assert refused.status is Status.INVALID_ARGUMENT  # before what is stored is looked at
    assert refused.message == f"Cannot {words} an entity in the same request."


def test_an_update_time_speaks_of_the_document_before_the_commit(database) -> None:
    at = database.commit([update("a/b", x=1)]).at
    required = Precondition(updated_at=at)
    database.commit([update("a/b", required, x=2), update("a/b", required, x=3)])
    refused = refusal(database, update("a/b", x=4), update("a/b", required, x=5))
    assert refused.status is Status.FAILED_PRECONDITION
    assert database.get(["a/b"])[0].fields == {"x": 3}


def test_what_is_wrong_in_itself_is_told_before_what_is_stored(database) -> None:
    refused = refusal(database, update("a/none", EXISTS), update("a/b", x=[[1]]))
    assert refused.status is Status.INVALID_ARGUMENT


def test_the_size_of_the_whole_document_counts_and_not_of_the_write(database) -> None:
    database.commit([Update("a/b", {"a": BIG["a"]})])
    refused = refusal(database, Update("a/b", {"b": BIG["b"]}, mask=(("b",),)))
    assert refused.status is Status.INVALID_ARGUMENT
    assert f"Document '{NAME}/documents/a/b' cannot be written" in refused.message


def test_a_document_takes_500_transforms_in_a_commit(database) -> None:
    increment = Transforms("a/b", (Numeric(("x",), "increment", 1),) * 250)
    database.commit([increment, increment])
    assert "more than 500" in refusal(database, increment, increment, increment).message


def test_watchers_hear_of_each_commit_what_it_did(database) -> None:
    heard: list[tuple[int, list[Change]]] = []
    stop = database.watch(lambda at, changes: heard.append((at, list(changes))))
    first = database.commit([update("a/b", x=1), update("a/c"), Delete("a/c"), update("a/b", x=2)])
    database.commit([update("a/b", x=2)])
    last = database.commit([Delete("a/b")])
    stop()
    database.commit([update("a/d")])
    document = Document("a/b", {"x": 2}, first.at, first.at)
    assert heard[0] == (first.at, [Change("a/b", None, document)])
    assert heard[1][1] == []
    assert heard[2] == (last.at, [Change("a/b", document, None)])
    assert len(heard) == 3


def test_each_write_of_a_batch_stands_alone(database) -> None:
    writes = [
        update("a/1"),
        update("a/2", EXISTS),
        Update("a/3", BIG),
        Delete("a/4", EXISTS),
        update("a/5"),
    ]
    results = database.apply_each(writes)
    kinds = [one.status if isinstance(one, Refusal) else "ok" for one in results]
    assert kinds == ["ok", Status.NOT_FOUND, Status.INVALID_ARGUMENT, Status.NOT_FOUND, "ok"]
    assert results[0].updated_at < results[4].updated_at
    assert [one.path for one in database.documents.in_group("a")] == ["a/1", "a/5"]


@pytest.mark.parametrize(
    ("writes", "words"),
    [
        ([update("a/1"), Delete("a/1")], "the same document cannot be written more than once"),
        ([update("a/1"), update("a/2", x=[[1]])], "array value"),
        ([update(f"a/{number}") for number in range(501)], "maximum 500 writes"),
    ],
)
def test_a_batch_that_is_wrong_as_a_whole_writes_nothing(database, writes, words) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        database.apply_each(writes)
    assert refused.value.status is Status.INVALID_ARGUMENT
    assert len(database.documents) == 0


def test_documents_are_listed_by_name_with_missing_ones_where_asked(database) -> None:
    paths = ["l/m/s/x", "l/d", "l/__id9__", "l/é", "o/1", "l/d/s/y"]
    database.commit([update(path) for path in paths])

    def listed(parent: str, collection: str | None, *, show_missing: bool = False) -> list[str]:
        found = database.list_documents(parent, collection, show_missing=show_missing)
        return [f"?{one}" if isinstance(one, str) else one.path for one in found]

    assert listed("", "l") == ["l/__id9__", "l/d", "l/é"]
    assert listed("", "l", show_missing=True) == ["l/__id9__", "l/d", "?l/m", "l/é"]
    assert listed("", None) == ["l/__id9__", "l/d", "l/é", "o/1"]
    assert listed("l/m", "s") == ["l/m/s/x"]
    assert listed("l/m", None, show_missing=True) == ["l/m/s/x"]
    assert database.collection_ids("") == ["l", "o"]
    assert database.collection_ids("l/m") == ["s"]


def test_a_new_database_holds_what_the_journal_has_of_it(clock) -> None:
    journal = Memory()
    first = Database(NAME, clock, Random(1), journal=journal)
    other = Database("projects/p/databases/other", clock, Random(1), journal=journal)
    first.commit([update("a/b", x=1), update("a/c")])
    at = first.commit([Delete("a/c"), update("a/b", x=2)]).at
    other.commit([update("a/z")])
    clock.now = 0
    again = Database(NAME, clock, Random(1), journal=journal)
    assert again.get(["a/b", "a/c", "a/z"]) == [Document("a/b", {"x": 2}, 1_000, at), None, None]
    assert again.commit([]).at > at


def test_a_reset_forgets_all_and_tells_the_watchers(clock) -> None:
    journal = Memory()
    database = Database(NAME, clock, Random(1), journal=journal)
    database.reset()
    database.commit([update("a/b"), update("a/c/d/e")])
    heard: list[Change] = []
    database.watch(lambda _, changes: heard.extend(changes))
    database.reset()
    assert sorted(change.path for change in heard) == ["a/b", "a/c/d/e"]
    assert all(change.after is None for change in heard)
    assert not any(journal.tables.values())
    assert database.collection_ids("") == []


def test_new_ids_look_like_those_of_clients_and_follow_the_seed(clock) -> None:
    first, second = (Database(NAME, clock, Random(7)) for _ in range(2))
    made = [first.new_id(), first.new_id()]
    assert all(re.fullmatch(r"[a-zA-Z0-9]{20}", one) for one in made)
    assert made == [second.new_id(), second.new_id()]
    assert made[0] != made[1]
