"""All databases of the engine: each made on first use, swept of expired documents, forgotten.

Must not know protobuf, gRPC or what a document is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING

from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.locking_database import LockingDatabase
from emulator.embedded.journal import Forgetful, Journal
from emulator.embedded.refusal import invalid

if TYPE_CHECKING:
    from emulator.embedded.firestore.query.required_indexes import DeclaredIndexes

_NAME = re.compile(r"projects/[^/]+/databases/[^/]+")
_TABLE = "databases"
_SWEEP = 1.0  # seconds between two looks at what has expired


class Databases:
    """`ttl_field` names, by collection group, the field that says when a document expires."""

    def __init__(
        self,
        clock: Callable[[], int],
        random: Random,
        *,
        journal: Journal | None = None,
        declared: DeclaredIndexes | None = None,
        ttl_field: Mapping[str, str] | None = None,
        optimistic: bool = False,
    ) -> None:
        self._clock = clock
        self._random = random
        self._journal = journal or Forgetful()
        self._declared = declared
        self._ttl_field = dict(ttl_field or {})
        self._optimistic = optimistic
        self._sweeper: asyncio.Task[None] | None = None
        self._open: dict[str, LockingDatabase] = {}
        for name, _ in list(self._journal.records(_TABLE)):
            self._make(name)

    def get(self, name: str) -> LockingDatabase:
        """The database of that resource name. Raises INVALID_ARGUMENT for what is no such name."""
        found = self._open.get(name)
        if found is not None:
            return found
        if not _NAME.fullmatch(name):
            raise invalid(
                f"Invalid database name: {name!r}; "
                "expected projects/{project}/databases/{database}."
            )
        self._journal.put(_TABLE, name, {})
        return self._make(name)

    async def start(self) -> None:
        """From now on expired documents are deleted, about once a second.

        That they are gone lasts from the journal's next flush.
        """
        if self._ttl_field and self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Safe to call twice."""
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.cancel()
            await asyncio.wait([sweeper])

    def reset(self) -> None:
        """All transactions end, all documents are forgotten; who listens is told."""
        for store in self._open.values():
            store.reset()

    def _make(self, name: str) -> LockingDatabase:
        database = Database(
            name,
            self._clock,
            Random(self._random.getrandbits(64)),
            journal=self._journal,
            declared=self._declared,
            ttl_field=self._ttl_field,
        )
        store = LockingDatabase(database, self._clock, optimistic=self._optimistic)
        self._open[name] = store
        return store

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            for store in self._open.values():
                store.database.expire()
