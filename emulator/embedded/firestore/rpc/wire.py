"""Names, documents, masks, preconditions and write results between protobuf and the model.

Decides which names belong to the database that is asked. Must not know what is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emulator.embedded.firestore.model import Document, FieldPath, Precondition, Written
from emulator.embedded.firestore.paths import check_document_path, parse_field_path
from emulator.embedded.firestore.query.projection import selected
from emulator.embedded.firestore.rpc.wire_values import encode_fields, micros, set_time, set_value
from emulator.embedded.messages import firestore_pb
from emulator.embedded.refusal import Refusal, invalid

_ROOT = "/documents"
_ANY = Precondition()


def split_name(name: str) -> tuple[str, str]:
    """A resource name as the database's name and what follows `/documents`; empty for the root."""
    parts = name.split("/", 5)
    if len(parts) < 5 or (parts[0], parts[2], parts[4]) != ("projects", "databases", "documents"):
        raise invalid(
            f'Invalid resource name "{name}"; '
            "expected projects/{project}/databases/{database}/documents/..."
        )
    return "/".join(parts[:4]), parts[5] if len(parts) == 6 else ""


def relative(database: str, name: str) -> str:
    """What follows `/documents/`; whether that is a path is not checked.

    Raises INVALID_ARGUMENT for a name in another database.
    """
    root = f"{database}{_ROOT}/"
    if not name.startswith(root):
        raise invalid(f'Document name "{name}" is not in the database "{database}".')
    return name[len(root) :]


def document_path(database: str, name: str) -> str:
    """The path of a document's resource name, checked."""
    path = relative(database, name)
    check_document_path(path, f"{database}{_ROOT}/")
    return path


def split_document(name: str) -> tuple[str, str]:
    """A document's resource name as the database's name and its path."""
    database, path = split_name(name)
    check_document_path(path, f"{database}{_ROOT}/")
    return database, path


def split_parent(name: str) -> tuple[str, str]:
    """As `split_document`, but the root, with an empty path, is allowed."""
    database, path = split_name(name)
    if path:
        check_document_path(path, f"{database}{_ROOT}/")
    return database, path


def full_name(database: str, path: str) -> str:
    return f"{database}{_ROOT}/{path}"


def mask(message: Any) -> tuple[FieldPath, ...]:
    """The paths of a DocumentMask."""
    return tuple(parse_field_path(path) for path in message.field_paths)


def read_mask(request: Any) -> tuple[FieldPath, ...] | None:
    """The mask of what a request wants to have returned; None for everything."""
    return mask(request.mask) if request.HasField("mask") else None


def precondition(request: Any) -> Precondition:
    """Of a write, or of a request that writes."""
    if not request.HasField("current_document"):
        return _ANY
    message = request.current_document
    match message.WhichOneof("condition_type"):
        case "exists":
            return Precondition(exists=message.exists)
        case "update_time":
            return Precondition(updated_at=micros(message.update_time))
    return _ANY


def fill_document(
    message: Any, database: str, document: Document, wanted: Sequence[FieldPath] | None = None
) -> None:
    """Fills an empty protobuf Document."""
    fields = document.fields if wanted is None else selected(document.fields, wanted)
    message.name = f"{database}{_ROOT}/{document.path}"
    encode_fields(message.fields, fields)
    set_time(message.create_time, document.created_at)
    set_time(message.update_time, document.updated_at)


def document_message(
    database: str, document: Document, wanted: Sequence[FieldPath] | None = None
) -> Any:
    message = firestore_pb.Document()
    fill_document(message, database, document, wanted)
    return message


def fill_result(message: Any, written: Written) -> None:
    """Fills an empty protobuf WriteResult."""
    if written.updated_at is not None:
        set_time(message.update_time, written.updated_at)
    for value in written.transformed:
        set_value(message.transform_results.add(), value)


def fill_status(message: Any, refusal: Refusal) -> None:
    """A refusal inside of an answer."""
    message.code = int(refusal.status)
    message.message = refusal.message
