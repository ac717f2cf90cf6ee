"""What the database holds and is asked: documents, writes, queries, as plain values.

Paths are relative to the database (`runs/r1/steps/a`). Times are whole microseconds since 1970
in UTC. Must not know protobuf, gRPC or any clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, TypeAlias

from emulator.embedded.firestore.values import Fields, Value

FieldPath: TypeAlias = tuple[str, ...]  # ("a", "b.c") is what `a.`b.c`` names
NAME: FieldPath = ("__name__",)


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document; never changed in place."""

    path: str
    fields: Fields
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Precondition:
    """At most one of the two is set."""

    exists: bool | None = None
    updated_at: int | None = None


@dataclass(frozen=True, slots=True)
class ServerTime:
    """Sets the field to the time of the commit."""

    field: FieldPath


@dataclass(frozen=True, slots=True)
class Numeric:
    """Adds to, or takes the extreme with, what is stored; any operand but a number is refused."""

    field: FieldPath
    operation: Literal["increment", "maximum", "minimum"]
    operand: int | float


@dataclass(frozen=True, slots=True)
class Elements:
    """Adds what is missing to a list, or removes all that equal one of `values`."""

    field: FieldPath
    operation: Literal["append_missing", "remove_all"]
    values: tuple[Value, ...]


Transform: TypeAlias = ServerTime | Numeric | Elements


@dataclass(frozen=True, slots=True)
class Update:
    """Writes a document. Without a mask it is replaced; with one, only the named fields are.

    A field of the mask that is not in `fields` is removed. Transforms follow, in order.
    """

    path: str
    fields: Fields
    mask: tuple[FieldPath, ...] | None = None
    transforms: tuple[Transform, ...] = ()
    precondition: Precondition = field(default_factory=Precondition)


@dataclass(frozen=True, slots=True)
class Delete:
    """Removes a document."""

    path: str
    precondition: Precondition = field(default_factory=Precondition)


@dataclass(frozen=True, slots=True)
class Transforms:
    """The older form of a write that only transforms; the document is created where missing."""

    path: str
    transforms: tuple[Transform, ...]
    precondition: Precondition = field(default_factory=Precondition)


Write: TypeAlias = Update | Delete | Transforms


@dataclass(frozen=True, slots=True)
class Written:
    """Of a write: the document's update time (None where it is gone), and one value a transform.

    A write that changes nothing keeps the document's earlier update time.
    """

    updated_at: int | None
    transformed: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did; one result for each write."""

    at: int
    results: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit did to one document; None on the side where it does not exist."""

    path: str
    before: Document | None
    after: Document | None


class Operator(Enum):
    """Of a field filter, named as in `StructuredQuery.FieldFilter.Operator`."""

    LESS_THAN = 1
    LESS_THAN_OR_EQUAL = 2
    GREATER_THAN = 3
    GREATER_THAN_OR_EQUAL = 4
    EQUAL = 5
    NOT_EQUAL = 6
    ARRAY_CONTAINS = 7
    IN = 8
    ARRAY_CONTAINS_ANY = 9
    NOT_IN = 10
    IS_NAN = 102  # unary ones
    IS_NULL = 103
    IS_NOT_NAN = 104
    IS_NOT_NULL = 105


@dataclass(frozen=True, slots=True)
class FieldFilter:
    """`value` is None for unary operators, a list for IN, NOT_IN and ARRAY_CONTAINS_ANY."""

    field: FieldPath
    operator: Operator
    value: Value = None


@dataclass(frozen=True, slots=True)
class Composite:
    """Filters that must all hold, or of which one must."""

    operator: Literal["and", "or"]
    filters: tuple[Filter, ...]


Filter: TypeAlias = "FieldFilter | Composite"


@dataclass(frozen=True, slots=True)
class Order:
    """One field of an order."""

    field: FieldPath
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in the order: before the given values, or after them. May be a prefix."""

    values: tuple[Value, ...]
    before: bool


@dataclass(frozen=True, slots=True)
class FindNearest:
    """The documents whose vector is nearest to `query`."""

    field: FieldPath
    query: tuple[float, ...]
    measure: Literal["EUCLIDEAN", "COSINE", "DOT_PRODUCT"]
    limit: int
    distance_field: str | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """`parent` is a document path, or empty for the root. Without `collection`: any collection.

    `descendants` widens it to all collections with that id below `parent`.
    """

    parent: str
    collection: str | None
    descendants: bool = False
    where: Filter | None = None
    order_by: tuple[Order, ...] = ()
    start: Cursor | None = None
    end: Cursor | None = None
    offset: int = 0
    limit: int | None = None
    select: tuple[FieldPath, ...] | None = None
    nearest: FindNearest | None = None


@dataclass(frozen=True, slots=True)
class Aggregation:
    """`field` is None for a count; `up_to` bounds a count."""

    alias: str
    kind: Literal["count", "sum", "avg"]
    field: FieldPath | None = None
    up_to: int | None = None
