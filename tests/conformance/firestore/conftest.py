"""Clients of one database, and collections that no other test uses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from google.cloud.firestore import AsyncClient, Client, CollectionReference
from google.cloud.firestore_v1.services.firestore import FirestoreClient

from emulator.engine import Engine
from shared.client.connection import pointed_at


@pytest.fixture(scope="session")
def db(engine: Engine, project: str) -> Iterator[Client]:
    with pointed_at(engine.environment()):
        client = Client(project=project)
    yield client
    client.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def adb(engine: Engine, project: str) -> AsyncIterator[AsyncClient]:
    with pointed_at(engine.environment()):
        client = AsyncClient(project=project)
    yield client
    await client._firestore_api.transport.close()


@dataclass(frozen=True)
class Raw:
    """The generated client, for requests that the friendly one never sends."""

    api: FirestoreClient
    database: str
    metadata: list[tuple[str, str]]

    @property
    def root(self) -> str:
        return f"{self.database}/documents"

    def name(self, path: str) -> str:
        """A document's full name."""
        return f"{self.root}/{path}"

    def commit(self, *writes: dict[str, Any], **request: Any) -> Any:
        return self.api.commit({"database": self.database, "writes": list(writes), **request})

    def put(self, path: str, fields: dict[str, Any] | None = None, **write: Any) -> dict[str, Any]:
        """A write that sets a document; fields are wire values."""
        return {"update": {"name": self.name(path), "fields": fields or {}}, **write}

    def begin(self, **options: Any) -> bytes:
        """Begin a transaction, by default one that writes."""
        answer = self.api.begin_transaction(
            {"database": self.database, "options": options or {"read_write": {}}}
        )
        return bytes(answer.transaction)

    def batch_write(self, *writes: dict[str, Any]) -> Any:
        # Google's emulator wants the credentials that the friendly client sends.
        request = {"database": self.database, "writes": list(writes)}
        return self.api.batch_write(request, metadata=self.metadata)

    def rollback(self, transaction: bytes) -> None:
        self.api.rollback({"database": self.database, "transaction": transaction})

    def query(self, collection: str, **request: Any) -> list[str]:
        """The ids of all documents of a collection."""
        query = {"from_": [{"collection_id": collection}]}
        answers = self.api.run_query({"parent": self.root, "structured_query": query, **request})
        return [each.document.name.rpartition("/")[2] for each in answers if each.document]

    def read(self, path: str, **request: Any) -> Any:
        """The document, or None; read by BatchGetDocuments."""
        request = {"database": self.database, "documents": [self.name(path)], **request}
        found = [each.found for each in self.api.batch_get_documents(request) if each.found]
        return found[0] if found else None


@pytest.fixture(scope="session")
def raw(db: Client) -> Raw:
    return Raw(db._firestore_api, db._database_string, db._rpc_metadata)


@pytest.fixture
def things(db: Client, fresh: Callable[[str], str]) -> CollectionReference:
    """A collection that no other test uses; its id is no other collection's."""
    return db.collection(fresh("things"))
