"""One database: its documents, atomic commits on them, and who watches.

A pure state machine: time comes from `clock`, lasting records go to the journal. Must not know
protobuf, locks or how queries run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from string import ascii_letters, digits
from typing import TYPE_CHECKING, TypeAlias

from emulator.embedded.firestore.documents import Documents
from emulator.embedded.firestore.expiry import Expiry
from emulator.embedded.firestore.model import Change, Committed, Document, Write, Written
from emulator.embedded.firestore.paths import check_collection_id
from emulator.embedded.firestore.query.field_index import FieldIndexes
from emulator.embedded.firestore.staging import Staging, check_sequence
from emulator.embedded.firestore.values import name_key
from emulator.embedded.firestore.writes import check_write
from emulator.embedded.journal import Forgetful, Journal
from emulator.embedded.refusal import Refusal, invalid

if TYPE_CHECKING:
    from emulator.embedded.firestore.query.required_indexes import DeclaredIndexes

MAX_BATCH = 500
_ID_LENGTH = 20
Listener: TypeAlias = Callable[[int, Sequence[Change]], None]


class Database:
    """`name` is `projects/p/databases/d`; without `declared`, no composite index is required.

    `ttl_field` has, by collection group, the path of the field that says when a document expires.
    Times are whole microseconds since 1970. Read `documents`, and queries their `indexes`, but
    write through this class only.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], int],
        random: Random,
        *,
        journal: Journal | None = None,
        declared: DeclaredIndexes | None = None,
        ttl_field: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.declared = declared
        self.documents = Documents()
        self.indexes = FieldIndexes(self.documents)
        self._clock = clock
        self._random = random
        self._journal = journal or Forgetful()
        self._root = f"{name}/documents/"
        self._table = f"{name}/documents"  # databases share a journal
        self._listeners: list[Listener] = []
        self._latest = 0  # of all commits and reads: the next commit is later
        self._expiry = Expiry(self.documents, ttl_field or {})
        for _, document in self._journal.records(self._table):
            self.documents.put(document)
            self._latest = max(self._latest, document.updated_at)

    def get(self, paths: Sequence[str]) -> list[Document | None]:
        """The documents, or None where there is none, in the order asked."""
        return [self.documents.get(path) for path in paths]

    def commit(self, writes: Sequence[Write]) -> Committed:
        """All of the writes, in order, or none of them. Raises Refusal.

        Each write sees the earlier ones. Every commit has a later time than all before it.
        """
        for write in writes:
            check_write(write, self._root)
        if len(writes) > 1:
            check_sequence(writes)
        return self._commit(writes)

    def apply_each(self, writes: Sequence[Write]) -> list[Written | Refusal]:
        """Each write by itself, with a commit time of its own.

        Raises INVALID_ARGUMENT, and writes nothing, for what is wrong whatever is stored, for more
        than 500 writes, and for two writes on one document.
        """
        if len(writes) > MAX_BATCH:
            raise invalid(f"maximum {MAX_BATCH} writes allowed per request")
        for write in writes:
            check_write(write, self._root)
        if len({write.path for write in writes}) < len(writes):
            raise invalid("the same document cannot be written more than once in a single request")
        return [self._apply(write) for write in writes]

    def list_documents(
        self, parent: str, collection: str | None, *, show_missing: bool
    ) -> list[Document | str]:
        """The documents right below `parent`, by name; of all its collections for None.

        With `show_missing` a path that is no document but has some below it is told as that path.
        Raises Refusal for what is no collection's id.
        """
        if collection is not None:
            check_collection_id(collection)
        found: dict[str, Document | str] = {}
        for one in self.collection_ids(parent) if collection is None else (collection,):
            path = f"{parent}/{one}" if parent else one
            found.update((document.path, document) for document in self._in(path))
            if show_missing:
                found.update((missing, missing) for missing in self.documents.missing(path))
        return [found[path] for path in sorted(found, key=name_key)]

    def collection_ids(self, parent: str) -> list[str]:
        """Of the collections right below a document, or the root (""), in order."""
        return self.documents.collection_ids(parent)

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener(commit time, changes)` after each commit; returns how to stop it.

        A document that a commit leaves as it was is not among the changes, which may be none.
        """
        self._listeners.append(listener)

        def stop() -> None:
            self._listeners = [one for one in self._listeners if one is not listener]

        return stop

    def new_id(self) -> str:
        """An unused-looking document id: 20 letters and digits, like those that clients make."""
        return "".join(self._random.choices(ascii_letters + digits, k=_ID_LENGTH))

    def time(self) -> int:
        """The time of a read now: it sees all commits up to then, and all later ones are after."""
        self._latest = max(self._latest, self._clock())
        return self._latest

    def expire(self) -> int:
        """Deletes the documents whose time to live has passed, in one commit; returns how many.

        What lies below them stays. It waits for no lock: a transaction that has read one of them
        is ABORTED when it commits.
        """
        due = self._expiry.take_due(self._clock())
        if due:
            changes = [Change(path, self.documents.get(path), None) for path in due]
            self._land(self._next_time(), changes)
        return len(due)

    def next_expiry(self) -> int | None:
        """When `expire` will next have something to do; None for never."""
        return self._expiry.next()

    def reset(self) -> None:
        """Forgets all documents, also in the journal; the watchers see them deleted."""
        changes = [Change(document.path, document, None) for document in self.documents]
        self.indexes.clear()  # both at once: one by one, each removal would move what follows it
        self.documents.clear()
        if changes:
            self._land(self._next_time(), changes)

    def _apply(self, write: Write) -> Written | Refusal:
        try:
            return self._commit((write,)).results[0]
        except Refusal as refusal:
            return refusal

    def _commit(self, writes: Iterable[Write]) -> Committed:
        at = self._next_time()
        staging = Staging(self.documents.get, self._root, at)
        for write in writes:
            staging.apply(write)
        self._land(at, staging.changes())
        return Committed(at, staging.results())

    def _next_time(self) -> int:
        return max(self._latest + 1, self._clock())

    def _land(self, at: int, changes: Sequence[Change]) -> None:
        self._latest = at
        for change in changes:
            if change.after is None:
                self.documents.remove(change.path)
                self._journal.delete(self._table, change.path)
            else:
                self.documents.put(change.after)
                self._journal.put(self._table, change.path, change.after)
        for listener in tuple(self._listeners):
            listener(at, changes)

    def _in(self, collection: str) -> Iterable[Document]:
        candidates = map(self.documents.get, self.documents.collection(collection))
        return (document for document in candidates if document is not None)
