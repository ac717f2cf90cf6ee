"""What production says of a query whose index is missing, link and command included.

Source: https://firebase.google.com/docs/firestore/query-data/indexing and recorded answers; the
link holds a `google.firestore.admin.v1.Index` in the encoding of protocol buffers, written out
here. Must not know queries.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable

from emulator.embedded.firestore.model import NAME
from emulator.embedded.firestore.paths import format_field_path
from emulator.embedded.firestore.query.index_declaration import Index, IndexField, Mode
from emulator.embedded.refusal import Refusal, Status

_SEVERAL_INEQUALITIES = (
    " .\nThe query contains range and inequality filters on multiple fields, please refer to the "
    "documentation for index selection best practices: "
    "https://cloud.google.com/firestore/docs/query-data/multiple-range-fields."
)
_SHORT = {Mode.ASCENDING: "ASC", Mode.DESCENDING: "DESC", Mode.CONTAINS: "CONTAINS"}


def missing_index(wanted: Index, database: str, *, several: bool) -> Refusal:
    """The refusal that names the index; `several`: more than one field has an inequality."""
    group = f"{database}/collectionGroups/{wanted.collection}"
    where = f"https://console.firebase.google.com/v1/r/project/{_project(database)}"
    field = _single(wanted)
    if field is not None:
        name = format_field_path(field.path)
        alone = Index(wanted.collection, wanted.group, (field,))
        message = (
            f"The query requires a {_scope(wanted)}_{_SHORT[field.mode]} index for collection "
            f"{wanted.collection} and field {name}. You can create it here: "
            f"{where}/firestore/indexes?create_exemption={_link(f'{group}/fields/{name}', alone)}"
        )
    else:
        message = (
            "The query requires an index. You can create it here: "
            f"{where}/firestore/indexes?create_composite={_link(f'{group}/indexes/_', wanted)}"
            f"{_SEVERAL_INEQUALITIES if several else ''}"
        )
    return Refusal(Status.FAILED_PRECONDITION, message)


def missing_vector_index(wanted: Index, database: str) -> Refusal:
    """The refusal of a FindNearest, with the command that creates its index."""
    fields = " ".join(f"--field-config={_config(one)}" for one in wanted.fields)
    return Refusal(
        Status.FAILED_PRECONDITION,
        "Missing vector index configuration. Please create the required index with the following "
        "gcloud command: gcloud firestore indexes composite create "
        f"--project={_project(database)} --collection-group={wanted.collection} "
        f"--query-scope={_scope(wanted)} {fields}",
    )


def _project(database: str) -> str:
    return database.split("/")[1]


def _scope(wanted: Index) -> str:
    return "COLLECTION_GROUP" if wanted.group else "COLLECTION"


def _single(wanted: Index) -> IndexField | None:
    """The field, where a single-field index would do: only the name follows, in its direction."""
    first, *rest = wanted.fields
    mode = Mode.DESCENDING if first.mode is Mode.DESCENDING else Mode.ASCENDING
    alone = first.path != NAME and rest in ([], [IndexField(NAME, mode)])
    return first if alone else None


def _config(field: IndexField) -> str:
    path = f"field-path={format_field_path(field.path)}"
    if field.mode is Mode.VECTOR:
        return f'vector-config=\'{{"dimension":"{field.dimension}","flat": "{{}}"}}\',{path}'
    if field.mode is Mode.CONTAINS:
        return f"array-config=CONTAINS,{path}"
    return f"order={field.mode.name},{path}"


def _link(name: str, index: Index) -> str:
    fields = (_message(3, _index_field(one)) for one in index.fields)
    scope = _number(2, 2 if index.group else 1)
    encoded = b"".join((_message(1, name.encode()), scope, *fields))
    return urlsafe_b64encode(encoded).decode().rstrip("=")


def _index_field(field: IndexField) -> bytes:
    path = _message(1, format_field_path(field.path).encode())
    if field.mode is Mode.CONTAINS:
        return path + _number(3, 1)
    return path + _number(2, 2 if field.mode is Mode.DESCENDING else 1)


def _message(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2, *_varint(len(content))]) + content


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3, *_varint(value)])


def _varint(value: int) -> Iterable[int]:
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value
