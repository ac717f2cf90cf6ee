"""Puts a document into a collection and removes it, all of it in one commit.

Whoever searches meanwhile finds the old chunks or the new ones, never both and never none. What is
older than what is there changes nothing, however late it comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.delivery.deps import Deps
from shared.domain.model import Json
from shared.domain.retrieval.collection import Collection
from shared.domain.retrieval.records import (
    DocumentRecord,
    chunk_document,
    chunk_path,
    document_path,
    vector_path,
)
from shared.domain.retrieval.splitting import Chunk, chunks_of, tokens_in
from shared.domain.retrieval.vectors import Vector
from shared.errors import (
    ActionFailedError,
    AlreadyExistsError,
    StaleError,
    StoreUnavailableError,
)
from shared.ports import Create, Delete, Document, Put, Store, Update, Write

_RACES = 5  # lost to others, before the message is given back


@dataclass(frozen=True)
class Change:
    """A document as an event has it; `text` is None where it is removed."""

    collection: Collection
    document: str
    at: datetime
    text: str | None
    metadata: dict[str, Json]
    run_id: str

    @property
    def digest(self) -> str:
        return "" if self.text is None else self.collection.digest(self.text, self.metadata)

    @property
    def chunks(self) -> list[Chunk]:
        if self.text is None:
            return []
        return chunks_of(self.document, self.text, self.collection.split)


async def apply(change: Change, deps: Deps) -> Json:
    """Makes the collection hold the document as `change` has it, unless it holds a later one.

    Raises ActionFailedError where a chunk was not embedded, RecordTooLargeError,
    StoreUnavailableError.
    """
    path = document_path(change.collection.collection, change.document)
    for _ in range(_RACES):
        found = await deps.store.get(path)
        record = DocumentRecord.of(found.data) if found is not None else None
        if record is not None and record.is_newer_than(change.at, change.digest):
            return _told(change, "superseded")
        if record is None or (record.at, record.digest) != (change.at, change.digest):
            try:
                await deps.store.commit(await _writes(change, found, record, deps))
            except (StaleError, AlreadyExistsError):
                continue
        return _told(change, "removed" if change.text is None else "stored")
    raise StoreUnavailableError(f"{path} was changed by others, {_RACES} times")


def _told(change: Change, outcome: str) -> Json:
    return {"document": change.document, "outcome": outcome, "chunks": len(change.chunks)}


async def _writes(
    change: Change, found: Document | None, before: DocumentRecord | None, deps: Deps
) -> list[Write]:
    """The record first: where somebody else was faster, nothing is written."""
    chunks, name = change.chunks, change.collection.collection
    record = DocumentRecord(
        name=change.document,
        at=change.at,
        digest=change.digest,
        embedding=change.collection.embedding,
        chunks=[chunk.id for chunk in chunks],
        metadata=change.metadata,
        tokens=sum(tokens_in(chunk.text) for chunk in chunks),
        run_id=change.run_id,
        updated_at=deps.clock.now(),
        expire_at=deps.expire_at() if change.text is None else None,
    )
    path = document_path(name, change.document)
    first: Write = Create(path, record.document())
    if found is not None:
        first = Update(path, record.document(), found.revision)
    if before is not None and before.digest == record.digest:
        return [first]
    vectors = await _vectors(change.collection, chunks, deps.store)
    puts = [
        Put(chunk_path(name, chunk.id), chunk_document(chunk, vector, record))
        for chunk, vector in zip(chunks, vectors, strict=True)
    ]
    gone = [one for one in (before.chunks if before else ()) if one not in set(record.chunks)]
    return [first, *puts, *(Delete(chunk_path(name, one)) for one in gone)]


async def _vectors(collection: Collection, chunks: Sequence[Chunk], store: Store) -> list[Vector]:
    """Those of the chunks that are there, and those that were kept for new ones."""
    there = [chunk_path(collection.collection, chunk.id) for chunk in chunks]
    kept = [vector_path(collection, chunk.key) for chunk in chunks]
    found = await store.get_many([*there, *kept])
    pairs = zip(found[: len(chunks)], found[len(chunks) :], strict=True)
    vectors = [_vector(collection, *pair) for pair in pairs]
    made = [vector for vector in vectors if vector is not None]
    if len(made) < len(chunks):
        told = f"{len(chunks) - len(made)} of {len(chunks)} chunks have no vector"
        raise ActionFailedError(f"{told}; publish the document again, to have it embedded")
    return made


def _vector(collection: Collection, *sources: Document | None) -> Vector | None:
    for source in sources:
        if source is not None and source.data["embedding"] == collection.embedding:
            vector: Vector = source.data["vector"]
            return vector
    return None


async def missing_texts(change: Change, store: Store) -> list[str]:
    """The texts of chunks that the collection does not hold of this document, each once."""
    found = await store.get(document_path(change.collection.collection, change.document))
    record = DocumentRecord.of(found.data) if found is not None else None
    held: set[str] = set()
    if record is not None and record.embedding == change.collection.embedding:
        held = set(record.chunks)
    return list(dict.fromkeys(chunk.text for chunk in change.chunks if chunk.id not in held))
