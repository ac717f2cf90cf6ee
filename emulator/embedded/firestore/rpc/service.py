"""All methods of google.firestore.v1.Firestore, by full name.

Decides which method is served by what. Must not know how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from emulator.embedded.firestore.databases import Databases
from emulator.embedded.firestore.rpc.listen import Listening
from emulator.embedded.firestore.rpc.query_methods import Queries
from emulator.embedded.firestore.rpc.read_methods import Reads
from emulator.embedded.firestore.rpc.write_methods import Writes

_SERVICE = "/google.firestore.v1.Firestore/"


class FirestoreService:
    """Handlers take raw protobuf requests; what they refuse, they raise as Refusal."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def handlers(self) -> Mapping[str, Callable[[Any, Any], Any]]:
        """Coroutines for unary methods, asynchronous iterators where the responses stream."""
        reads, writes = Reads(self._databases), Writes(self._databases)
        queries, listening = Queries(self._databases), Listening(self._databases)
        methods: dict[str, Callable[[Any, Any], Any]] = {
            "GetDocument": reads.get_document,
            "ListDocuments": reads.list_documents,
            "BatchGetDocuments": reads.batch_get_documents,
            "ListCollectionIds": reads.list_collection_ids,
            "CreateDocument": writes.create_document,
            "UpdateDocument": writes.update_document,
            "DeleteDocument": writes.delete_document,
            "BeginTransaction": writes.begin_transaction,
            "Rollback": writes.rollback,
            "Commit": writes.commit,
            "BatchWrite": writes.batch_write,
            "Write": writes.write,
            "RunQuery": queries.run_query,
            "RunAggregationQuery": queries.run_aggregation_query,
            "PartitionQuery": queries.partition_query,
            "ExecutePipeline": queries.execute_pipeline,
            "Listen": listening.listen,
        }
        return {_SERVICE + name: method for name, method in methods.items()}

    async def start(self) -> None:
        """Begins to delete documents whose time to live is over."""
        await self._databases.start()

    async def stop(self) -> None:
        """Safe to call twice."""
        await self._databases.stop()

    async def reset(self) -> None:
        """Forgets everything; who listens is told."""
        self._databases.reset()
