"""What a listener has been shown, and what it must be told after documents have changed.

Decides the events of one target. Must not know protobuf, streams or how changes are noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.model import Document, Query
from emulator.embedded.firestore.query.access_paths import in_scope
from emulator.embedded.firestore.query.planner import matcher
from emulator.embedded.firestore.run_query import run_query
from emulator.embedded.refusal import invalid


@dataclass(frozen=True, slots=True)
class Shown:
    """The document is part of the target now, or looks different."""

    document: Document


@dataclass(frozen=True, slots=True)
class Gone:
    """The document is no part of the target any more; `deleted`: it does not exist at all."""

    path: str
    deleted: bool


Event: TypeAlias = Shown | Gone


class Target(Protocol):
    """One thing that is listened to. What `start` and `changed` return has been told thereby."""

    def start(self) -> list[Event]:
        """Everything, as it is now. Comes first. Raises Refusal."""
        ...

    def changed(self, paths: Iterable[str]) -> list[Event]:
        """What is different now that these documents have changed in some way."""
        ...


class DocumentsTarget:
    """Some documents by path. Of one that does not exist, that is told first of all."""

    def __init__(self, database: Database, paths: Sequence[str]) -> None:
        self._database = database
        self._paths = dict.fromkeys(paths)

    def start(self) -> list[Event]:
        return self.changed(self._paths)

    def changed(self, paths: Iterable[str]) -> list[Event]:
        mine = [path for path in paths if path in self._paths]
        found = zip(mine, self._database.get(mine), strict=True)
        return [Gone(path, deleted=True) if one is None else Shown(one) for path, one in found]


class QueryTarget:
    """The result of a query, kept up to date document by document where that is possible.

    A FindNearest is refused: https://firebase.google.com/docs/firestore/vector-search#limitations.
    """

    def __init__(self, database: Database, query: Query) -> None:
        self._database = database
        self._query = query
        self._shown: dict[str, int] = {}  # path -> update time
        # Where one document's change can move others, or changes what is shown of it, ask again.
        self._whole = bool(query.limit is not None or query.offset or query.select)

    def start(self) -> list[Event]:
        if self._query.nearest is not None:
            raise invalid("Vector search does not support real-time snapshot listeners.")
        result = run_query(self._database, self._query).documents  # refuses what is no query
        self._matches = matcher(self._query)
        self._shown = {one.path: one.updated_at for one in result}
        return [Shown(one) for one in result]

    def changed(self, paths: Iterable[str]) -> list[Event]:
        relevant = [path for path in paths if self._concerns(path)]
        if not relevant:
            return []
        return list(self._again() if self._whole else self._each(relevant))

    def _concerns(self, path: str) -> bool:
        if self._query.offset:  # what is skipped counts too, and is known to nobody
            return in_scope(self._query, path)
        return path in self._shown or self._matching(path) is not None

    def _matching(self, path: str) -> Document | None:
        document = self._database.documents.get(path)
        if document is None or not self._matches(document):
            return None
        return document

    def _each(self, paths: Iterable[str]) -> Iterator[Event]:
        for path in paths:
            document = self._matching(path)
            if document is None:
                yield self._hide(path)
            elif self._shown.get(path) != document.updated_at:
                yield self._show(document)

    def _again(self) -> Iterator[Event]:
        result = run_query(self._database, self._query).documents
        now = {one.path for one in result}
        for path in [one for one in self._shown if one not in now]:
            yield self._hide(path)
        for document in result:
            if self._shown.get(document.path) != document.updated_at:
                yield self._show(document)

    def _show(self, document: Document) -> Event:
        self._shown[document.path] = document.updated_at
        return Shown(document)

    def _hide(self, path: str) -> Event:
        del self._shown[path]
        return Gone(path, deleted=self._database.documents.get(path) is None)
