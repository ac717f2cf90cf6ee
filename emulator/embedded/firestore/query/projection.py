"""What of a document a query shows.

Source: `StructuredQuery.Projection` in
https://firebase.google.com/docs/firestore/reference/rpc/google.firestore.v1. Must not know queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from emulator.embedded.firestore.model import NAME, Document, FieldPath
from emulator.embedded.firestore.values import Fields, Value


def project(document: Document, select: Iterable[FieldPath] | None) -> Document:
    """The document with only the selected fields; all of them for None, none for its name."""
    if select is None:
        return document
    return replace(document, fields=selected(document.fields, select))


def selected(fields: Fields, select: Iterable[FieldPath]) -> Fields:
    """The fields on the given paths; what a document lacks is left out."""
    tree: dict[str, list[FieldPath]] = {}
    for path in select:
        if path != NAME:
            tree.setdefault(path[0], []).append(path[1:])
    found: dict[str, Value] = {}
    for name, rests in tree.items():
        if name not in fields:
            continue
        value = fields[name]
        if all(rests):
            value = selected(value, rests) if isinstance(value, Mapping) else None
            if not value:
                continue
        found[name] = value
    return found
