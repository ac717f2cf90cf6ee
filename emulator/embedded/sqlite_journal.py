"""Keeps the cores' records in a folder: an SQLite file, and a lock so that one process uses it.

Decides when records are durable and what becomes of another version's file. Must not know what the
records mean.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from emulator.embedded.record_codec import decode, encode

VERSION = 1
_APPLICATION = (
    0x5E60E  # marks the file as ours: https://sqlite.org/pragma.html#pragma_application_id
)
# Rows keep the place they were first put at: an upsert leaves the rowid as it is.
_SCHEMA = """
CREATE TABLE records (place INTEGER PRIMARY KEY, "table" TEXT, key TEXT, record TEXT);
CREATE UNIQUE INDEX by_key ON records ("table", key);
"""
_PUT = """
INSERT INTO records ("table", key, record) VALUES (?, ?, ?)
ON CONFLICT ("table", key) DO UPDATE SET record = excluded.record
"""
_DELETE = 'DELETE FROM records WHERE "table" = ? AND key = ?'
_SELECT = 'SELECT key, record FROM records WHERE "table" = ? ORDER BY place'


class DataDirError(Exception):
    """The folder cannot be used; the message says why and what to do."""


class SqliteJournal:
    """Implements `Journal`. What was flushed survives the process, however it ends.

    It may not survive the machine: a power failure can take the last moments, never the file.
    Raises DataDirError where the folder is in use or holds something else.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pending: list[tuple[str, tuple[str, ...]]] = []
        self._lock = _held(directory)
        try:
            self._file = self._opened(directory / "engine.sqlite3")
        except BaseException:
            self._lock.close()
            raise

    def put(self, table: str, key: str, record: Any) -> None:
        """Encodes at once: a record that changes later is not what was put."""
        self._pending.append((_PUT, (table, key, encode(record))))

    def delete(self, table: str, key: str) -> None:
        self._pending.append((_DELETE, (table, key)))

    def records(self, table: str) -> Iterator[tuple[str, Any]]:
        self.flush()
        for key, record in self._file.execute(_SELECT, (table,)).fetchall():
            try:
                yield key, decode(record)
            except ValueError as error:
                message = f"{self._directory} holds a record that cannot be read: {key}: {error}"
                raise DataDirError(message) from error

    def flush(self) -> None:
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        try:
            self._file.execute("BEGIN IMMEDIATE")
            for statement, values in pending:
                self._file.execute(statement, values)
            self._file.execute("COMMIT")
        except BaseException:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            self._pending = pending + self._pending  # a full disk may have room the next time
            raise

    def close(self) -> None:
        """Flush, close the file, let another process have the folder."""
        try:
            self.flush()
        finally:
            self._file.close()
            self._lock.close()

    def _opened(self, path: Path) -> sqlite3.Connection:
        file = sqlite3.connect(path, isolation_level=None)
        try:
            _prepare(file, path)
        except sqlite3.DatabaseError as error:
            file.close()
            raise DataDirError(f"{path} is no file of the embedded engine: {error}") from error
        except BaseException:
            file.close()
            raise
        return file


def _prepare(file: sqlite3.Connection, path: Path) -> None:
    [[application]] = file.execute("PRAGMA application_id").fetchall()
    [[version]] = file.execute("PRAGMA user_version").fetchall()
    [[tables]] = file.execute("SELECT count(*) FROM sqlite_master").fetchall()
    if tables and application != _APPLICATION:
        raise DataDirError(f"{path} is no file of the embedded engine: choose another folder")
    if tables and version != VERSION:
        raise DataDirError(
            f"{path} is of version {version} and this engine reads version {VERSION}: "
            "delete it, or choose another folder"
        )
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = NORMAL")
    if not tables:
        # In one transaction, so that a start that is killed leaves no file of half a schema.
        file.executescript(
            f"BEGIN; {_SCHEMA} PRAGMA application_id = {_APPLICATION};"
            f" PRAGMA user_version = {VERSION}; COMMIT;"
        )


def _held(directory: Path) -> IO[bytes]:
    """The folder's lock; the kernel lets go of it when the process ends, however it does."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "engine.lock").open("a+b")
    except OSError as error:
        raise DataDirError(f"{directory} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().decode(errors="replace") or "unknown"
        lock.close()
        message = f"{directory} is in use by another engine (process {owner})"
        raise DataDirError(message) from None
    lock.truncate(0)
    lock.write(str(os.getpid()).encode())
    lock.flush()
    return lock
