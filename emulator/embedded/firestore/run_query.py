"""Runs a query on a database: the rules it must keep, the documents it finds, what it shows.

Must not know protobuf or transactions: a `snapshot` stands for an earlier moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.embedded.firestore.model import Document, FieldPath, Query
from emulator.embedded.firestore.query.nearest import search
from emulator.embedded.firestore.query.planner import find
from emulator.embedded.firestore.query.projection import project
from emulator.embedded.firestore.query.query_rules import check_query

if TYPE_CHECKING:
    from emulator.embedded.firestore.database import Database
    from emulator.embedded.firestore.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The documents as the query shows them, and how many before them its offset left out."""

    documents: list[Document]
    skipped: int = 0


def run_query(database: Database, query: Query, *, snapshot: Snapshot | None = None) -> QueryResult:
    """The result now, or as of the snapshot. Raises Refusal where production refuses the query."""
    found = found_documents(database, query, snapshot=snapshot)
    shown = [project(one, query.select) for one in found.documents]
    return QueryResult(shown, found.skipped)


def found_documents(
    database: Database,
    query: Query,
    *,
    snapshot: Snapshot | None = None,
    present: Sequence[FieldPath] = (),
) -> QueryResult:
    """As `run_query`, with whole documents; only those that have all `present` fields count."""
    check_query(query, database.name)
    if database.declared is not None:
        database.declared.require(query, database.name, aggregated=present)
    view = database.documents if snapshot is None else snapshot
    indexes = database.indexes if snapshot is None else None
    found = find(query, view, indexes, present=present)
    if query.nearest is not None:
        return QueryResult(search(found, query.nearest))
    return QueryResult(found[query.offset :], min(query.offset, len(found)))
