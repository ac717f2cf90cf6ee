"""Reads what `infra/indexes.yaml` declares: composite and vector indexes, fields without index.

Must not know YAML (it is given what was parsed) or queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from emulator.embedded.firestore.model import NAME, FieldPath
from emulator.embedded.firestore.paths import parse_field_path
from emulator.embedded.refusal import Refusal


class Mode(Enum):
    """How an index holds a field, named as in `Index.IndexField` of the Admin API."""

    ASCENDING = "asc"
    DESCENDING = "desc"
    CONTAINS = "contains"
    VECTOR = "vector"


@dataclass(frozen=True, slots=True)
class IndexField:
    """One field of an index; `dimension` is a vector's."""

    path: FieldPath
    mode: Mode = Mode.ASCENDING
    dimension: int = 0


@dataclass(frozen=True, slots=True)
class Index:
    """`group`: it serves queries of the collection group, else those of one collection."""

    collection: str
    group: bool
    fields: tuple[IndexField, ...]

    def is_single(self, field: IndexField) -> bool:
        """Whether it is the single-field index for that field."""
        return tuple(one for one in self.fields if one.path != NAME) == (field,)

    def served_as(self) -> Index:
        """With the name at its end, in the direction of the field before it."""
        last = self.fields[-1]
        if last.path == NAME or last.mode is Mode.VECTOR:
            return self
        mode = Mode.DESCENDING if last.mode is Mode.DESCENDING else Mode.ASCENDING
        return Index(self.collection, self.group, (*self.fields, IndexField(NAME, mode)))


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is declared for a database."""

    indexes: tuple[Index, ...]
    unindexed: Mapping[str, frozenset[FieldPath]]

    def is_unindexed(self, collection: str, field: FieldPath) -> bool:
        """Whether the automatic indexes of the field, or of a map around it, are switched off."""
        off = self.unindexed.get(collection, frozenset())
        return any(field[:length] in off for length in range(1, len(field) + 1))


def read_declaration(source: object) -> Declaration:
    """What a parsed indexes.yaml declares. Raises ValueError where it is malformed."""
    if not isinstance(source, Mapping):
        raise ValueError("the declaration of indexes is no mapping")  # noqa: TRY004  # as promised
    indexes = tuple(map(_index, source.get("indexes") or ()))
    unindexed = {
        collection: frozenset(map(_path, fields))
        for collection, fields in (source.get("unindexed") or {}).items()
    }
    return Declaration(indexes, unindexed)


def _path(text: str) -> FieldPath:
    try:
        return parse_field_path(text)
    except Refusal as refusal:
        raise ValueError(refusal.message) from refusal


def _index(entry: Mapping[str, Any]) -> Index:
    unknown = set(entry) - {"collection", "fields", "scope"}
    scope = entry.get("scope", "collection")
    if unknown or scope not in {"collection", "group"} or not entry.get("fields"):
        raise ValueError(f"not an index: {dict(entry)}")
    return Index(entry["collection"], scope == "group", tuple(map(_field, _list(entry["fields"]))))


def _list(fields: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(fields, list | tuple):
        raise ValueError(f"not a list of fields: {fields}")  # noqa: TRY004  # as promised
    return fields


def _field(entry: Mapping[str, Any]) -> IndexField:
    given = {name: value for name, value in entry.items() if name != "path"}
    if "path" in entry and len(given) <= 1:
        path = _path(entry["path"])
        match given:
            case {"vector": int(dimension)}:
                return IndexField(path, Mode.VECTOR, dimension)
            case {"contains": True}:
                return IndexField(path, Mode.CONTAINS)
            case {"order": "asc" | "desc" as order}:
                return IndexField(path, Mode(order))
        if not given:
            return IndexField(path)
    raise ValueError(f"not a field of an index: {dict(entry)}")
