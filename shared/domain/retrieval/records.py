"""What is kept of a collection in Firestore: `collections/{name}/documents`, `chunks`, `vectors`.

A document's record and its chunks are always changed in one commit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from shared.domain import ids
from shared.domain.model import Json
from shared.domain.records import Record
from shared.domain.retrieval.collection import Collection
from shared.domain.retrieval.splitting import Chunk
from shared.domain.retrieval.vectors import Vector


def chunks_path(collection: str) -> str:
    return f"collections/{collection}/chunks"


def documents_path(collection: str) -> str:
    return f"collections/{collection}/documents"


def chunk_path(collection: str, chunk: str) -> str:
    return f"{chunks_path(collection)}/{chunk}"


def document_path(collection: str, document: str) -> str:
    return f"{documents_path(collection)}/{ids.signal_id(document)}"


def vector_path(collection: Collection, key: str) -> str:
    """Of a text's vector, by the text's key and what has made it."""
    name = ids.digest(collection.embedding, key)
    return f"collections/{collection.collection}/vectors/{name}"


class DocumentRecord(Record):
    """`collections/{name}/documents/{id}`: which version of a document the chunks are of.

    `at` is the time of the event that brought it: an older one changes nothing any more. Of a
    removed document this stays for a while, so that an older event cannot bring it back.
    """

    JSON_FIELDS = frozenset({"metadata"})

    name: str
    at: datetime
    digest: str = ""  # empty once it is removed
    embedding: str = ""
    chunks: list[str] = Field(default_factory=list)
    metadata: dict[str, Json] = Field(default_factory=dict)
    tokens: int = 0
    run_id: str
    updated_at: datetime
    expire_at: datetime | None = None

    @property
    def is_removed(self) -> bool:
        return not self.digest

    def is_newer_than(self, at: datetime, digest: str) -> bool:
        """Of two events of the same moment, the same one wins on every instance."""
        return (self.at, self.digest) > (at, digest)


def chunk_document(chunk: Chunk, vector: Vector, document: DocumentRecord) -> dict[str, Any]:
    """A chunk as it is stored: its vector and its metadata are searched, its text is not."""
    return {
        "document": document.name,
        "text": chunk.text,
        "position": chunk.position,
        "metadata": document.metadata,
        "content": chunk.key,
        "version": document.digest,
        "embedding": document.embedding,
        "vector": vector,
    }
