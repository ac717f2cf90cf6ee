"""What a Listen stream says and is asked, between protobuf and the model.

Must not know streams. Source: https://cloud.google.com/firestore/docs/reference/rpc/
google.firestore.v1 (ListenRequest, ListenResponse).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.listen_targets import (
    DocumentsTarget,
    Event,
    Gone,
    QueryTarget,
    Shown,
    Target,
)
from emulator.embedded.firestore.rpc.wire import (
    document_path,
    fill_document,
    full_name,
    split_parent,
)
from emulator.embedded.firestore.rpc.wire_queries import query_of
from emulator.embedded.firestore.rpc.wire_values import set_time
from emulator.embedded.messages import firestore_pb
from emulator.embedded.refusal import invalid


class Kind(IntEnum):
    """TargetChange.TargetChangeType."""

    NO_CHANGE = 0
    ADD = 1
    REMOVE = 2
    CURRENT = 3
    RESET = 4


def target_of(database: Database, wanted: Any) -> Target:
    match wanted.WhichOneof("target_type"):
        case "documents":
            names = wanted.documents.documents
            return DocumentsTarget(database, [document_path(database.name, one) for one in names])
        case "query":
            if not wanted.query.HasField("structured_query"):
                raise invalid("A structured query is required.")
            owner, parent = split_parent(wanted.query.parent)
            if owner != database.name:
                raise invalid(f'The query is not in the database "{database.name}".')
            return QueryTarget(database, query_of(parent, wanted.query.structured_query))
    raise invalid("A target must be documents or a query.")


def event_message(database: Database, identifier: int, event: Event) -> Any:
    response = firestore_pb.ListenResponse()
    match event:
        case Shown(document):
            fill_document(response.document_change.document, database.name, document)
            response.document_change.target_ids.append(identifier)
        case Gone(path, deleted):
            told = response.document_delete if deleted else response.document_remove
            told.document = full_name(database.name, path)
            told.removed_target_ids.append(identifier)
            set_time(told.read_time, database.time())
    return response


def target_change(kind: Kind, *identifiers: int) -> Any:
    response = firestore_pb.ListenResponse()
    response.target_change.target_change_type = kind
    response.target_change.target_ids.extend(identifiers)
    return response


def consistent(database: Database, kind: Kind = Kind.NO_CHANGE, *identifiers: int) -> Any:
    """All targets, or those given, show the database as it is now."""
    response = target_change(kind, *identifiers)
    at = database.time()
    response.target_change.resume_token = b"%d" % at
    set_time(response.target_change.read_time, at)
    return response
