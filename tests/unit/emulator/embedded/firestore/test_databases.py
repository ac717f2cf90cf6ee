"""Databases are made on first use, found again after a restart, swept, and reset."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

import pytest

from emulator.embedded.firestore import databases as module
from emulator.embedded.firestore.databases import Databases
from emulator.embedded.firestore.model import Update
from emulator.embedded.firestore.values import Timestamp
from emulator.embedded.refusal import Refusal, Status

ONE, TWO = "projects/p/databases/(default)", "projects/p/databases/two"


class Memory:
    """A journal that outlives what writes to it."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {}

    def put(self, table: str, key: str, record: Any) -> None:
        self.tables.setdefault(table, {})[key] = record

    def delete(self, table: str, key: str) -> None:
        self.tables.get(table, {}).pop(key, None)

    def records(self, table: str) -> Iterator[tuple[str, Any]]:
        return iter(list(self.tables.get(table, {}).items()))

    def flush(self) -> None: ...


def databases(journal: Memory) -> Databases:
    return Databases(count(1).__next__, Random(0), journal=journal)


async def put(all_: Databases, name: str) -> None:
    await all_.get(name).commit([Update("c/x", {"in": name})])


def stored(all_: Databases, name: str) -> Any:
    (document,) = all_.get(name).database.get(["c/x"])
    return None if document is None else document.fields["in"]


async def test_each_name_is_a_database_of_its_own() -> None:
    all_ = databases(Memory())
    await put(all_, ONE)
    assert (stored(all_, ONE), stored(all_, TWO)) == (ONE, None)
    assert all_.get(ONE) is all_.get(ONE)


@pytest.mark.parametrize("name", ["", "projects/p", ONE + "/documents", "projects//databases/d"])
def test_what_names_no_database_is_refused(name: str) -> None:
    with pytest.raises(Refusal, match="Invalid database name") as caught:
        databases(Memory()).get(name)
    assert caught.value.status is Status.INVALID_ARGUMENT


async def test_a_reset_also_forgets_what_only_an_earlier_process_used() -> None:
    journal = Memory()
    earlier = databases(journal)
    await put(earlier, ONE)
    await put(earlier, TWO)
    assert stored(databases(journal), TWO) == TWO
    databases(journal).reset()
    assert stored(databases(journal), TWO) is None


async def test_the_sweeper_is_started_once_and_stopped() -> None:
    all_ = Databases(count(1).__next__, Random(0), ttl_field={"c": "at"})
    await all_.start()
    await all_.start()
    await all_.stop()
    await all_.stop()


async def test_expired_documents_are_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SWEEP", 0.001)
    all_ = Databases(count(1).__next__, Random(0), ttl_field={"c": "at"})
    await all_.start()
    await all_.get(ONE).commit([Update("c/x", {"in": 1, "at": Timestamp(0)})])
    swept = asyncio.Event()
    all_.get(ONE).database.watch(lambda *_: swept.set())
    async with asyncio.timeout(5):
        await swept.wait()
    assert stored(all_, ONE) is None
    await all_.stop()
