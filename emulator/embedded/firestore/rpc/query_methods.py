"""The methods that run queries.

Translates between requests and the database. Must not know how a query is answered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NoReturn

from emulator.embedded.firestore.databases import Databases
from emulator.embedded.firestore.model import NAME, Order, Query
from emulator.embedded.firestore.rpc.consistency import present_only, selected
from emulator.embedded.firestore.rpc.wire import fill_document, full_name, split_parent
from emulator.embedded.firestore.rpc.wire_queries import aggregations_of, query_of
from emulator.embedded.firestore.rpc.wire_values import set_time, set_value
from emulator.embedded.messages import firestore_pb
from emulator.embedded.refusal import Refusal, Status, invalid


class Queries:
    """Handlers by the method's name."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    async def run_query(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """A response for each document; one without, where there is none to tell the time."""
        _no_explain(request)
        database, parent = split_parent(request.parent)
        query = query_of(parent, _structured(request))
        store = self._databases.get(database)
        transaction, begun = selected(store, request)
        if begun:
            yield firestore_pb.RunQueryResponse(transaction=begun)
        result = await store.query(query, transaction)
        at = store.read_time(transaction)
        skipped = result.skipped
        for document in result.documents:
            response = firestore_pb.RunQueryResponse(skipped_results=skipped)
            skipped = 0  # only the first tells
            fill_document(response.document, database, document)
            set_time(response.read_time, at)
            yield response
        if not result.documents:
            response = firestore_pb.RunQueryResponse(skipped_results=skipped)
            set_time(response.read_time, at)
            yield response

    async def run_aggregation_query(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """One response."""
        _no_explain(request)
        if not request.HasField("structured_aggregation_query"):
            raise invalid("An aggregation query is required.")
        asked = request.structured_aggregation_query
        database, parent = split_parent(request.parent)
        query = query_of(parent, _structured(asked))
        wanted = aggregations_of(asked)
        store = self._databases.get(database)
        transaction, begun = selected(store, request)
        values = await store.aggregate(query, wanted, transaction)
        response = firestore_pb.RunAggregationQueryResponse(transaction=begun)
        for alias, value in values.items():
            set_value(response.result.aggregate_fields[alias], value)
        set_time(response.read_time, store.read_time(transaction))
        yield response

    async def partition_query(self, request: Any, context: Any) -> Any:
        """Cursors that cut a collection group, in name order, into parts of about one size."""
        database, parent = split_parent(request.parent)
        query = query_of(parent, _structured(request))
        present_only(request)
        _check_partition(request, query)
        if request.page_token:
            raise Refusal(Status.UNIMPLEMENTED, "PartitionQuery with a page token is not served.")
        result = await self._databases.get(database).query(query, None)
        most = request.partition_count
        most = min(most, request.page_size) if request.page_size else most
        documents = result.documents
        cuts = {len(documents) * cut // (most + 1) for cut in range(1, most + 1)} - {0}
        response = firestore_pb.PartitionQueryResponse()
        for cut in sorted(cuts):
            cursor = response.partitions.add(before=True)
            cursor.values.add(reference_value=full_name(database, documents[cut].path))
        return response

    async def execute_pipeline(self, request: Any, context: Any) -> NoReturn:
        raise Refusal(Status.UNIMPLEMENTED, "ExecutePipeline is not served.")


def _structured(request: Any) -> Any:
    if not request.HasField("structured_query"):
        raise invalid("A structured query is required.")
    return request.structured_query


def _no_explain(request: Any) -> None:
    if request.HasField("explain_options"):
        raise Refusal(Status.UNIMPLEMENTED, "Explaining a query (explain_options) is not served.")


def _check_partition(request: Any, query: Query) -> None:
    if request.partition_count < 1:
        raise invalid("partition_count must be positive.")
    if request.page_size < 0:
        raise invalid("Page size must be nonnegative.")
    plain = Query(query.parent, query.collection, descendants=True, order_by=(Order(NAME),))
    if query != plain or query.parent:
        raise invalid(
            "A partition query must be of a collection group, ordered by __name__, and no more."
        )
