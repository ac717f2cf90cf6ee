"""Random Firestore operations as plain data: what is asked, not how a client asks it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Operation = Any

DOCUMENTS = ("a", "b", "c", "d", "a/sub/x")
PATHS = ("n", "t", "m", "m.k", "m.j", "l")
FIELDS = ("n", "t", "m", "l")


@dataclass(frozen=True)
class Write:
    """One write. `kind` is set, merge, update, create or delete; `revision` asks for the last one.

    `revision`: None asks nothing, True for the current time of change, False for an earlier one.
    """

    kind: str
    document: str
    fields: tuple[tuple[str, Any], ...] = ()
    revision: bool | None = None


@dataclass(frozen=True)
class Transform:
    """Stands for a field's value: an increment, a maximum, a union and so on."""

    kind: str
    operand: Any


@dataclass(frozen=True)
class Commit:
    """Writes that happen together."""

    writes: tuple[Write, ...]


@dataclass(frozen=True)
class Get:
    """Reads of some documents, perhaps cut to some fields."""

    documents: tuple[str, ...]
    mask: tuple[str, ...] | None


@dataclass(frozen=True)
class Ask:
    """A query, or an aggregation of it."""

    group: bool = False
    where: Any = None
    order: tuple[tuple[str, bool], ...] = ()
    cursors: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    offset: int = 0
    limit: int | None = None
    select: tuple[str, ...] | None = None
    aggregate: bool = False


@dataclass(frozen=True)
class List:
    """All documents of the collection with those that are missing, and a document's collections."""


numbers = st.sampled_from([-1, 0, 1, 2, 3, 0.0, 1.0, 1.5, math.inf, math.nan, 2**53, 2**53 + 1])
texts = st.sampled_from(["", "a", "b", "\u00fc", "\uffee", "\U0001f680"])
plain = st.one_of(numbers, numbers, texts, st.none(), st.booleans(), st.just(b"x"))
maps = st.dictionaries(st.sampled_from(["k", "j"]), plain, max_size=2)
values = st.one_of(plain, plain, maps, st.lists(st.one_of(plain, maps), max_size=3))
lists = st.lists(st.one_of(st.sampled_from([0, 1, 1.5, "a", "b"]), maps), max_size=3)
# A field has mostly one type, as documents do; now and then it has any.
USUAL = {"n": numbers, "t": texts, "m": maps, "l": lists, "m.k": numbers, "m.j": texts}


def _value(field: str) -> st.SearchStrategy[Any]:
    return st.one_of(USUAL[field], USUAL[field], USUAL[field], values)


finite = st.sampled_from([-1, 1, 2, 0.5])
transforms = st.one_of(
    st.builds(Transform, st.sampled_from(["increment", "maximum", "minimum"]), finite),
    st.builds(
        Transform,
        st.sampled_from(["union", "remove"]),
        st.lists(st.sampled_from([0, 1, 1.0, "a", None]), max_size=3).map(tuple),
    ),
)


@st.composite
def _writes(draw: st.DrawFn) -> Write:
    kind = draw(st.sampled_from(["set", "set", "merge", "update", "update", "create", "delete"]))
    document = draw(st.sampled_from(DOCUMENTS))
    names = PATHS if kind == "update" else FIELDS
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    if "m" in chosen:  # paths of one update must not overlap
        chosen = [name for name in chosen if not name.startswith("m.")]
    others = st.nothing() if kind == "create" else transforms
    if kind in {"merge", "update"}:
        others = st.one_of(others, st.just(Transform("absent", None)))
    fields = tuple((name, draw(st.one_of(_value(name), _value(name), others))) for name in chosen)
    revision = draw(st.sampled_from([None, None, None, True, False]))
    if kind in {"update", "delete"}:
        return Write(kind, document, () if kind == "delete" else fields, revision)
    return Write(kind, document, fields)


def _filters() -> st.SearchStrategy[Any]:
    comparison = st.sampled_from(PATHS).flatmap(
        lambda field: st.tuples(
            st.just(field), st.sampled_from(["==", "<", "<=", ">", ">="]), _value(field)
        )
    )
    several = st.tuples(
        st.sampled_from(PATHS),
        st.sampled_from(["in", "array_contains_any"]),
        st.lists(st.one_of(texts, st.sampled_from([0, 1, 1.5])), min_size=1, max_size=3),
    )
    contains = st.tuples(
        st.just("l"), st.just("array_contains"), st.one_of(texts, st.sampled_from([0, 1, 1.5]))
    )
    unequal = st.tuples(st.sampled_from(PATHS), st.just("!="), st.sampled_from([0, 1, "a", None]))
    one = st.one_of(comparison, comparison, several, contains, unequal)
    return st.one_of(
        one,
        st.tuples(
            st.sampled_from(["and", "or"]), st.lists(one, min_size=1, max_size=3, unique_by=repr)
        ),
    )


@st.composite
def _asks(draw: st.DrawFn) -> Ask:
    where = draw(st.one_of(st.none(), _filters()))
    fields = draw(st.lists(st.sampled_from(["n", "t", "m.k"]), max_size=2, unique=True))
    order = tuple((field, draw(st.booleans())) for field in fields)
    cursors = []
    if order:
        ends = draw(
            st.lists(
                st.sampled_from([("start_at", "start_after"), ("end_at", "end_before")]),
                max_size=2,
                unique=True,
            )
        )
        for end in ends:
            length = draw(st.integers(1, len(order)))
            values_of_it = tuple(draw(_value(field)) for field in fields[:length])
            cursors.append((draw(st.sampled_from(end)), values_of_it))
    aggregate = draw(st.sampled_from([False, False, False, True]))
    return Ask(
        group=draw(st.sampled_from([False, False, False, True])),
        where=where,
        order=order,
        cursors=tuple(cursors),
        # In which order a limit cuts what is then summed is nowhere said.
        offset=0 if aggregate else draw(st.sampled_from([0, 0, 0, 1, 2])),
        limit=None if aggregate else draw(st.sampled_from([None, None, 1, 2, 3])),
        select=draw(st.sampled_from([None, None, None, ("n", "m.k"), ()])),
        aggregate=aggregate,
    )


def operations() -> st.SearchStrategy[list[Operation]]:
    """Sequences of operations on a handful of documents: first some data, then questions."""
    write = _writes()
    # Whether a document that ends as it was counts as changed is nowhere said: once each.
    several = st.lists(write, min_size=1, max_size=3, unique_by=lambda each: each.document)
    commits = st.builds(Commit, several.map(tuple))
    gets = st.builds(
        Get,
        st.lists(st.sampled_from(DOCUMENTS), min_size=1, max_size=3, unique=True).map(tuple),
        st.sampled_from([None, None, ("n",), ("m.k", "t")]),
    )
    first = st.builds(
        lambda documents: Commit(tuple(Write("set", *each) for each in documents)),
        st.lists(
            st.tuples(
                st.sampled_from(DOCUMENTS),
                st.lists(
                    st.sampled_from(FIELDS).flatmap(
                        lambda field: st.tuples(st.just(field), _value(field))
                    ),
                    min_size=2,
                    max_size=4,
                    unique_by=lambda each: each[0],
                ).map(tuple),
            ),
            min_size=3,
            max_size=5,
            unique_by=lambda each: each[0],
        ),
    )
    mixed = st.one_of(commits, commits, gets, _asks(), _asks(), _asks(), st.builds(List))
    return st.tuples(first, st.lists(mixed, min_size=3, max_size=15)).map(
        lambda parts: [parts[0], *parts[1]]
    )
