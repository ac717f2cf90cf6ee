"""What one write makes of one document.

Source: https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#write. Must not
know commits, other documents or where documents are kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from emulator.embedded.firestore.model import (
    Delete,
    Document,
    FieldPath,
    Precondition,
    Transform,
    Transforms,
    Update,
    Write,
)
from emulator.embedded.firestore.nested import MISSING, value_at, with_value, without
from emulator.embedded.firestore.paths import check_document_path, check_field_path
from emulator.embedded.firestore.transforms import check_transforms, transformed
from emulator.embedded.firestore.validation import check_fields
from emulator.embedded.firestore.values import Fields, Value, identical
from emulator.embedded.refusal import Refusal, Status, invalid, not_found

_NAME_MASK = ("__name__",)


def check_write(write: Write, root: str) -> None:
    """Raises INVALID_ARGUMENT for what no state of the database makes right."""
    check_document_path(write.path, root)
    if isinstance(write, Update):
        check_fields(write.fields)
        for path in write.mask or ():
            if path != _NAME_MASK:
                check_field_path(path)
    elif isinstance(write, Transforms) and not write.transforms:
        raise invalid("The list of FieldTransform must not be empty.")
    transforms = transforms_of(write)
    if transforms:
        check_transforms(transforms)


def transforms_of(write: Write) -> Sequence[Transform]:
    return () if isinstance(write, Delete) else write.transforms


def check_precondition(precondition: Precondition, name: str, stored: Document | None) -> None:
    """Raises what the client is told where the stored document is not as the write expects."""
    if precondition.exists is True and stored is None:
        raise not_found(f"No document to update: {name}")
    if precondition.exists is False and stored is not None:
        raise Refusal(Status.ALREADY_EXISTS, f"Document already exists: {name}")
    if precondition.updated_at is not None:
        check_version(precondition.updated_at, stored)


def check_version(required: int, stored: Document | None) -> None:
    """Raises FAILED_PRECONDITION where that is not the stored document's update time."""
    version = stored.updated_at if stored is not None else 0
    if stored is None or version != required:
        raise Refusal(
            Status.FAILED_PRECONDITION,
            f"the stored version ({version}) does not match the required base version ({required})",
        )


def written(
    write: Write, current: Document | None, at: int
) -> tuple[Document | None, tuple[Value, ...]]:
    """The document after the write, and the results of its transforms.

    It is `current` itself where the write changes nothing, so that the update time stays.
    """
    if isinstance(write, Delete):
        return None, ()
    before = current.fields if current is not None else {}
    fields = before if isinstance(write, Transforms) else _updated(write, before)
    fields, results = transformed(fields, write.transforms, at)
    if current is not None and identical(fields, before):
        return current, results
    created_at = current.created_at if current is not None else at
    return Document(write.path, fields, created_at, at), results


def _updated(write: Update, before: Fields) -> Fields:
    if write.mask is None:
        return write.fields
    fields = before
    for path in write.mask:
        if path != _NAME_MASK:
            fields = _masked(fields, write.fields, path)
    return fields


def _masked(fields: Fields, given: Fields, path: FieldPath) -> Fields:
    value = value_at(given, path)
    return without(fields, path) if value is MISSING else with_value(fields, path, value)
