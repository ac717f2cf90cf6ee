"""What a Store reads and writes: documents, single writes, queries and searches.

Everybody imports them from `shared.ports`, where the Store is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.domain.retrieval.vectors import Vector


@dataclass(frozen=True)
class Document:
    """A stored document. `revision` changes with every write that changes it."""

    path: str
    data: Mapping[str, Any]
    revision: str

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Create:
    """Must not exist yet."""

    path: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Update:
    """Replaces the given top-level fields of a document that is still at `revision`."""

    path: str
    data: Mapping[str, Any]
    revision: str


@dataclass(frozen=True)
class Put:
    """Replaces the whole document, whatever was there."""

    path: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Increment:
    """Adds to numeric fields, creating document and fields where missing."""

    path: str
    by: Mapping[str, int]
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Delete:
    """Removes the document if it is there; with a revision, it must still be at that."""

    path: str
    revision: str | None = None


Condition = tuple[str, Literal["==", "<", "<=", ">", ">=", "in"], Any]
Write = Create | Update | Put | Increment | Delete


@dataclass(frozen=True)
class Written:
    """Outcome of one write: its document's revision and, for Increment, the new values."""

    revision: str
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Query:
    """Documents of a collection, filtered, and ordered by one field.

    `in` takes a list of at most 30 values. `group`: of all collections of that name, wherever they
    are; `collection` is then the bare name.
    """

    collection: str
    where: tuple[Condition, ...] = ()
    order_by: str | None = None
    descending: bool = False
    limit: int | None = None
    group: bool = False


@dataclass(frozen=True)
class Nearest:
    """The `limit` documents of a collection whose `field` is nearest to a vector, by cosine.

    `within` is the distance of the farthest that counts. A dot in a condition's field leads into
    a map. Needs a vector index on `field` together with the conditions' fields.
    """

    collection: str
    vector: Vector
    limit: int
    where: tuple[Condition, ...] = ()
    within: float | None = None
    field: str = "vector"


@dataclass(frozen=True)
class Near:
    """A document, and how far it is from what was searched for."""

    document: Document
    distance: float
