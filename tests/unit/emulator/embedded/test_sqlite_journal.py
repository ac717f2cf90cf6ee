"""What was flushed is there for the next process, in order; a folder has one owner at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.embedded.firestore.model import Document
from emulator.embedded.sqlite_journal import DataDirError, SqliteJournal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(tmp_path / "data")
    yield journal
    journal.close()


def kept(folder: Path, table: str = "t") -> list[tuple[str, object]]:
    """What the next process finds."""
    journal = SqliteJournal(folder)
    found = list(journal.records(table))
    journal.close()
    return found


def put(folder: Path, *keys: str) -> None:
    journal = SqliteJournal(folder)
    for key in keys:
        journal.put("t", key, {"key": key})
    journal.close()


def test_records_outlive_the_process_in_the_order_of_first_insertion(tmp_path: Path) -> None:
    put(tmp_path, "b", "a", "c")
    put(tmp_path, "a", "d", "b")
    assert [key for key, _ in kept(tmp_path)] == ["b", "a", "c", "d"]


def test_the_last_record_put_counts(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    journal.put("t", "k", Document("old", {}, 1, 1))
    journal.put("t", "k", Document("new", {"a": b"1"}, 1, 2))
    journal.close()
    assert kept(tmp_path) == [("k", Document("new", {"a": b"1"}, 1, 2))]


def test_a_deleted_record_that_comes_back_comes_last(journal: SqliteJournal) -> None:
    for key in ("a", "b"):
        journal.put("t", key, 1)
    journal.delete("t", "a")
    journal.put("t", "a", 2)
    journal.delete("t", "never there")
    assert list(journal.records("t")) == [("b", 1), ("a", 2)]


def test_tables_do_not_see_each_other(journal: SqliteJournal) -> None:
    journal.put("one", "k", 1)
    journal.put("two", "k", 2)
    journal.delete("one", "k")
    assert list(journal.records("one")) == []
    assert list(journal.records("two")) == [("k", 2)]


def test_a_record_is_what_it_was_when_it_was_put(journal: SqliteJournal) -> None:
    record = {"state": ["before"]}
    journal.put("t", "k", record)
    record["state"].append("after")
    journal.flush()
    assert list(journal.records("t")) == [("k", {"state": ["before"]})]


def test_what_is_not_flushed_is_not_in_the_file(journal: SqliteJournal, tmp_path: Path) -> None:
    def rows() -> int:
        file = sqlite3.connect(tmp_path / "data" / "engine.sqlite3")
        [[count]] = file.execute("SELECT count(*) FROM records").fetchall()
        file.close()
        return int(count)

    journal.put("t", "a", 1)
    journal.put("t", "b", 2)
    assert rows() == 0
    journal.flush()
    assert rows() == 2


def test_a_flush_that_fails_leaves_all_of_it_for_the_next(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "data" / "engine.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    journal._file.execute("PRAGMA busy_timeout = 0")
    journal.put("t", "a", 1)
    with pytest.raises(sqlite3.OperationalError):
        journal.flush()
    other.execute("ROLLBACK")
    other.close()
    journal.put("t", "b", 2)
    journal.flush()
    assert list(journal.records("t")) == [("a", 1), ("b", 2)]


def test_a_folder_in_use_is_refused_with_its_owner(journal: SqliteJournal, tmp_path: Path) -> None:
    with pytest.raises(DataDirError, match=r"in use by another engine \(process \d+\)"):
        SqliteJournal(tmp_path / "data")
    journal.put("t", "k", 1)
    journal.flush()  # the owner is not disturbed


def test_a_file_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    put(tmp_path, "a")
    path = tmp_path / "engine.sqlite3"
    file = sqlite3.connect(path)
    file.execute("PRAGMA user_version = 99")
    file.close()
    before = path.read_bytes()
    for _ in range(2):  # and the folder is not held afterwards
        with pytest.raises(DataDirError, match="is of version 99 and this engine reads version 1"):
            SqliteJournal(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all, but long enough to look at" * 50, None])
def test_a_file_of_somebody_else_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "engine.sqlite3"
    if content is None:
        file = sqlite3.connect(path)
        file.execute("CREATE TABLE theirs (x)")
        file.close()
    else:
        path.write_bytes(content)
    with pytest.raises(DataDirError, match="is no file of the embedded engine"):
        SqliteJournal(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirError, match="cannot be used"):
        SqliteJournal(tmp_path / "file" / "data")


def test_a_record_that_cannot_be_read_is_told_with_its_key(tmp_path: Path) -> None:
    put(tmp_path, "a")
    file = sqlite3.connect(tmp_path / "engine.sqlite3")
    file.execute("UPDATE records SET record = '{\"$Strange\":{}}'")
    file.commit()
    file.close()
    journal = SqliteJournal(tmp_path)
    with pytest.raises(DataDirError, match="cannot be read: a:"):
        list(journal.records("t"))
    journal.close()
