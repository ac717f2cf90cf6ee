"""Which document paths and field paths are allowed, and how field paths are written.

Source: https://firebase.google.com/docs/firestore/quotas#collections_documents_and_fields; the
wording of refusals is that of Google's emulator. Must not know documents.
"""

from __future__ import annotations

import re

from emulator.embedded.firestore.model import FieldPath
from emulator.embedded.refusal import Refusal, invalid

MAX_ID_BYTES = 1_500
MAX_NAME_BYTES = 6 * 1_024
MAX_FIELD_PATH_BYTES = 1_500
_MAX_DEPTH = 100  # documents on the way down
_ROOT = "documents/"

_NUMERIC_ID = re.compile(r"__id(-?[1-9][0-9]*)__")
_SIMPLE = r"[a-zA-Z_][a-zA-Z_0-9]*"
_QUOTED = r"`(?:[^`\\]|\\[^a-zA-Z0-9]|\\[bfnrt])+`"
_PART = re.compile(f"{_SIMPLE}|{_QUOTED}")
_FIELD_PATH = re.compile(rf"(?:{_PART.pattern})(?:\.(?:{_PART.pattern}))*", re.DOTALL)
_PLAIN = re.compile(_SIMPLE)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def collection_of(path: str) -> str:
    """The path of the collection that holds the document."""
    return path.rpartition("/")[0]


def collection_id(path: str) -> str:
    """The id of the collection that holds the document."""
    return path.rpartition("/")[0].rpartition("/")[2]


def is_below(path: str, parent: str) -> bool:
    """Whether the document lies below another; everything lies below the root, ""."""
    return not parent or path.startswith(parent + "/")


def byte_length(text: str) -> int:
    """In UTF-8, which is what all limits count."""
    return len(text) if text.isascii() else len(text.encode())


def reserved(name: str) -> bool:
    """Whether the service keeps the name, `__...__`, for itself."""
    return name[:2] == "__" == name[-2:] and len(name) >= 4


def check_document_path(path: str, root: str = _ROOT, what: str = "Document name") -> None:
    """Raises INVALID_ARGUMENT where `path` names no document.

    `root` is what comes before it in the full name, up to and with `documents/`.
    """
    segments = path.split("/")
    at = len(root)
    for place, segment in enumerate(segments):
        kind = "resource id" if place % 2 else "collection id"
        if segment in {"", ".", ".."}:
            raise _misplaced(root + path, what, kind, segment, at)
        _check_id(segment, kind)
        at += len(segment) + 1
    if len(segments) % 2:
        raise invalid(f'{what} "{root}{path}" lacks "/" at index {at - 1}.')
    if len(segments) > 2 * _MAX_DEPTH:
        raise invalid(f"Key path is too long. Cannot exceed {_MAX_DEPTH} elements.")
    if byte_length(root + path) > MAX_NAME_BYTES:
        raise invalid(f"{what} is longer than {MAX_NAME_BYTES} bytes.")


def check_collection_id(name: str) -> None:
    """Raises INVALID_ARGUMENT where no collection can be called that."""
    if not name:
        raise invalid("Collection id is empty.")
    if "/" in name:
        raise invalid(f'Collection id "{name}" is invalid because it contains "/".')
    if name in {".", ".."}:
        raise invalid(f'Collection id "{name}" is invalid because it is reserved.')
    _check_id(name, "collection id")


def _misplaced(name: str, what: str, kind: str, segment: str, at: int) -> Refusal:
    if segment:
        return invalid(f'{what} "{name}" contains a {kind} "{segment}" at index {at}.')
    if kind == "resource id" and at == len(name):
        return invalid(f'{what} "{name}" has invalid trailing "/".')
    return invalid(f'{what} "{name}" lacks a {kind} at index {at}.')


def _check_id(segment: str, kind: str) -> None:
    if byte_length(segment) > MAX_ID_BYTES:
        raise invalid(f"The key path element name is longer than {MAX_ID_BYTES} bytes.")
    if reserved(segment):
        _check_numeric(segment, kind)


def _check_numeric(segment: str, kind: str) -> None:
    """Documents imported from Datastore have ids that are numbers, written `__id7__`."""
    number = _NUMERIC_ID.fullmatch(segment) if kind == "resource id" else None
    if number is None:
        raise invalid(f'{kind.capitalize()} "{segment}" is invalid because it is reserved.')
    if not -(2**63) <= int(number[1]) < 2**63:
        raise invalid(f'Resource id "{segment}" is invalid because it is not a 64 bit integer.')


def parse_field_path(text: str) -> FieldPath:
    r"""`a.`b.c`` as ("a", "b.c"). Raises INVALID_ARGUMENT for what is no field path.

    In a quoted name a `\` takes the next character for what it is, except `\n` and its like.
    """
    if not text:
        raise invalid("Invalid empty property path string.")
    if byte_length(text) > MAX_FIELD_PATH_BYTES:
        raise invalid(f"property path is longer than {MAX_FIELD_PATH_BYTES} bytes.")
    if _PLAIN.fullmatch(text):
        path: FieldPath = (text,)
    elif _FIELD_PATH.fullmatch(text):
        path = tuple(_unquoted(part) for part in _PART.findall(text))
    else:
        raise invalid(
            f'Invalid property path "{text}". Unquoted property paths must match regex '
            rf"({_SIMPLE}), and quoted property paths must match regex (`(?:[^`\\]|(?:\\.))+`)"
        )
    if path != ("__name__",):
        check_field_path(path)
    return path


def format_field_path(path: FieldPath) -> str:
    """What `parse_field_path` reads; names are quoted where they must be."""
    return ".".join(name if _PLAIN.fullmatch(name) else _quoted(name) for name in path)


def check_field_path(path: FieldPath) -> None:
    """Raises INVALID_ARGUMENT where no document can have a field there."""
    if not path or "" in path:
        raise invalid("Invalid empty property path string.")
    if byte_length(".".join(path)) > MAX_FIELD_PATH_BYTES:
        raise invalid(f"property path is longer than {MAX_FIELD_PATH_BYTES} bytes.")
    for name in path:
        if reserved(name):
            raise invalid(f"Invalid reserved name in field path {name}")


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _unquoted(part: str) -> str:
    if not part.startswith("`"):
        return part
    return _ESCAPE.sub(lambda found: _CONTROL.get(found[1], found[1]), part[1:-1])
