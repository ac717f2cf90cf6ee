"""Reads the file that declares a project's indexes and times to live, such as infra/indexes.yaml.

Decides what a usable file is. Must not know what a query needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from emulator.embedded.firestore.paths import parse_field_path
from emulator.embedded.firestore.query.required_indexes import DeclaredIndexes
from emulator.embedded.refusal import Refusal


class IndexFileError(Exception):
    """The file cannot be used; the message names it and says why."""


@dataclass(frozen=True)
class IndexFile:
    """`ttl_field` has the field that says when a document expires, by collection."""

    declared: DeclaredIndexes
    ttl_field: dict[str, str]


def read(path: Path) -> IndexFile:
    """Raises IndexFileError where the file is missing or malformed."""
    # The parser in C is five times as fast; some builds of PyYAML lack it.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        source = yaml.load(path.read_bytes(), loader)  # noqa: S506 - one of the two safe loaders
    except (OSError, yaml.YAMLError) as error:
        raise IndexFileError(f"{path} cannot be read: {error}") from error
    try:
        return IndexFile(DeclaredIndexes(source), _ttl_field(source.get("ttl") or {}))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise IndexFileError(f"{path} declares no indexes: {error}") from error


def _ttl_field(source: dict[str, Any]) -> dict[str, str]:
    if not source:
        return {}
    field = str(source["field"])
    try:
        parse_field_path(field)
    except Refusal as refusal:
        raise ValueError(f"ttl: {refusal.message}") from refusal
    return dict.fromkeys(source["collections"], field)
