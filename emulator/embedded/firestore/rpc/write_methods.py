"""The methods that write, and those that begin and end transactions.

Translates between requests and the database. Must not know how anything is stored or locked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

from emulator.embedded.firestore.databases import Databases
from emulator.embedded.firestore.locking_database import LockingDatabase
from emulator.embedded.firestore.model import Delete, Precondition, Update, Write
from emulator.embedded.firestore.paths import check_collection_id
from emulator.embedded.firestore.rpc.consistency import begin
from emulator.embedded.firestore.rpc.wire import (
    document_message,
    fill_result,
    fill_status,
    mask,
    precondition,
    read_mask,
    split_document,
    split_parent,
)
from emulator.embedded.firestore.rpc.wire_values import decode_fields, set_time
from emulator.embedded.firestore.rpc.wire_writes import write_of
from emulator.embedded.messages import Empty, firestore_pb
from emulator.embedded.refusal import Refusal, Status, invalid

MAX_REQUEST_BYTES = 10 * 1_048_576


class Writes:
    """Handlers by the method's name."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    async def create_document(self, request: Any, context: Any) -> Any:
        """Under an id of its own where the request names none. Raises ALREADY_EXISTS."""
        database, parent = split_parent(request.parent)
        store = self._databases.get(database)
        check_collection_id(request.collection_id)
        identifier = request.document_id or store.database.new_id()
        if "/" in identifier:
            raise invalid(f'Document id "{identifier}" is invalid.')
        path = "/".join(part for part in (parent, request.collection_id, identifier) if part)
        fields = decode_fields(request.document.fields)
        write = Update(path, fields, precondition=Precondition(exists=False))
        return await _written(store, write, request)

    async def update_document(self, request: Any, context: Any) -> Any:
        """Creates it where it is missing, unless the precondition forbids."""
        database, path = split_document(request.document.name)
        write = Update(
            path,
            decode_fields(request.document.fields),
            mask(request.update_mask) if request.HasField("update_mask") else None,
            precondition=precondition(request),
        )
        return await _written(self._databases.get(database), write, request)

    async def delete_document(self, request: Any, context: Any) -> Any:
        """It need not exist, unless the precondition says so."""
        database, path = split_document(request.name)
        write = Delete(path, precondition(request))
        await self._databases.get(database).commit([write])
        return Empty()

    async def begin_transaction(self, request: Any, context: Any) -> Any:
        transaction = begin(self._databases.get(request.database), request.options)
        return firestore_pb.BeginTransactionResponse(transaction=transaction.id)

    async def rollback(self, request: Any, context: Any) -> Any:
        self._databases.get(request.database).transactions.rollback(request.transaction)
        return Empty()

    async def commit(self, request: Any, context: Any) -> Any:
        """All writes or none."""
        _check_size(request)
        store = self._databases.get(request.database)
        writes = [write_of(request.database, one) for one in request.writes]
        committed = await store.commit(writes, request.transaction)
        response = firestore_pb.CommitResponse()
        for result in committed.results:
            fill_result(response.write_results.add(), result)
        set_time(response.commit_time, committed.at)
        return response

    async def batch_write(self, request: Any, context: Any) -> Any:
        """Each write by itself, in no order that clients may rely on."""
        _check_size(request)
        store = self._databases.get(request.database)
        writes = [write_of(request.database, one) for one in request.writes]
        response = firestore_pb.BatchWriteResponse()
        for result in await store.apply_each(writes):
            slot, told = response.write_results.add(), response.status.add()
            if isinstance(result, Refusal):
                fill_status(told, result)
            else:
                fill_result(slot, result)
        return response

    async def write(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """A stream of commits; the first request only opens it. Streams cannot be resumed."""
        database = ""
        tokens = count(1)
        async for request in requests:
            response = firestore_pb.WriteResponse(stream_token=b"%d" % next(tokens))
            if database:
                one = firestore_pb.CommitRequest(database=database, writes=request.writes)
                done = await self.commit(one, context)
                response.write_results.extend(done.write_results)
                response.commit_time.CopyFrom(done.commit_time)
            else:
                database = _opened(request)
                response.stream_id = "stream"
            yield response


def _opened(request: Any) -> str:
    if request.stream_id or request.stream_token:
        raise Refusal(Status.UNIMPLEMENTED, "Resuming a stream of writes is not served.")
    if request.writes:
        raise invalid("The first request of a write stream must have no writes.")
    if not request.database:
        raise invalid("The first request of a write stream must name the database.")
    return str(request.database)


async def _written(store: LockingDatabase, write: Write, request: Any) -> Any:
    """Commits one write and answers with the document that it left."""
    wanted = read_mask(request)
    await store.commit([write])
    (document,) = store.database.get([write.path])
    assert document is not None  # nothing runs between the commit and here
    return document_message(store.database.name, document, wanted)


def _check_size(request: Any) -> None:
    """https://firebase.google.com/docs/firestore/quotas#writes_and_transactions."""
    if request.ByteSize() > MAX_REQUEST_BYTES:
        raise invalid(f"Request payload size exceeds the limit: {MAX_REQUEST_BYTES} bytes.")
