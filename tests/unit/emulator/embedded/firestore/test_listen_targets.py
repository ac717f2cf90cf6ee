"""A listener is told every difference between what it has been shown and what there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import pytest

from emulator.embedded.firestore.database import Database
from emulator.embedded.firestore.listen_targets import (
    DocumentsTarget,
    Event,
    Gone,
    QueryTarget,
    Shown,
    Target,
)
from emulator.embedded.firestore.model import (
    Cursor,
    Delete,
    FieldFilter,
    FindNearest,
    Operator,
    Order,
    Query,
    Update,
)
from emulator.embedded.refusal import Refusal

N = ("n",)
LOW = FieldFilter(N, Operator.LESS_THAN, 10)


@dataclass
class Watched:
    """A database whose changes wait to be told."""

    database: Database = field(
        default_factory=lambda: Database("projects/p/databases/d", count(1).__next__, Random(0))
    )
    changed: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database.watch(lambda _, all_: self.changed.update((one.path, None) for one in all_))

    def put(self, path: str, **fields: Any) -> None:
        self.database.commit([Update(path, fields)])

    def remove(self, path: str) -> None:
        self.database.commit([Delete(path)])

    def told(self, target: Target) -> list[str]:
        changed, self.changed = self.changed, {}
        return spelled(target.changed(changed))


def spelled(events: list[Event]) -> list[str]:
    return list(map(_spelled, events))


def _spelled(event: Event) -> str:
    match event:
        case Shown(document):
            return f"+{document.path}"
        case Gone(path, deleted):
            return f"{'x' if deleted else '-'}{path}"


@pytest.fixture
def watched() -> Watched:
    one = Watched()
    for number in range(4):
        one.put(f"c/{number}", n=number)
    one.put("other/1", n=1)
    one.changed.clear()
    return one


def test_documents_are_told_also_where_they_are_missing(watched: Watched) -> None:
    target = DocumentsTarget(watched.database, ["c/1", "c/no", "c/1"])
    assert spelled(target.start()) == ["+c/1", "xc/no"]
    watched.put("c/2", n=5)
    assert watched.told(target) == []
    watched.put("c/no", n=5)
    watched.remove("c/1")
    assert watched.told(target) == ["+c/no", "xc/1"]


def test_a_query_begins_with_its_result_in_order(watched: Watched) -> None:
    query = Query("", "c", order_by=(Order(N, descending=True),), end=Cursor((1,), before=True))
    assert spelled(QueryTarget(watched.database, query).start()) == ["+c/3", "+c/2"]


@pytest.mark.parametrize("limit", [None, 100])
def test_documents_enter_change_and_leave_a_result(watched: Watched, limit: int | None) -> None:
    target = QueryTarget(watched.database, Query("", "c", where=LOW, limit=limit))
    target.start()
    watched.put("c/new", n=9)
    assert watched.told(target) == ["+c/new"]
    watched.put("c/1", n=7)
    assert watched.told(target) == ["+c/1"]
    watched.put("c/1", n=70)
    watched.remove("c/2")
    assert watched.told(target) == ["-c/1", "xc/2"]
    watched.put("c/1", n=71)
    watched.put("c/far", n=72)
    watched.put("other/2", n=2)
    watched.remove("c/no-such")
    assert watched.told(target) == []


@pytest.mark.parametrize("limit", [None, 100])
def test_what_came_and_went_unseen_is_not_told(watched: Watched, limit: int | None) -> None:
    target = QueryTarget(watched.database, Query("", "c", where=LOW, limit=limit))
    target.start()
    watched.put("c/new", n=9)
    watched.remove("c/new")
    watched.put("c/1", n=1)
    assert watched.told(target) == []


def test_a_deleted_and_recreated_document_is_shown_anew(watched: Watched) -> None:
    target = QueryTarget(watched.database, Query("", "c"))
    target.start()
    watched.remove("c/1")
    watched.put("c/1", n=1)
    assert watched.told(target) == ["+c/1"]


def test_the_next_in_line_moves_into_a_limited_result(watched: Watched) -> None:
    query = Query("", "c", order_by=(Order(N),), limit=2)
    target = QueryTarget(watched.database, query)
    assert spelled(target.start()) == ["+c/0", "+c/1"]
    watched.remove("c/0")
    assert watched.told(target) == ["xc/0", "+c/2"]
    watched.put("c/first", n=-1)
    assert watched.told(target) == ["-c/2", "+c/first"]
    watched.put("c/3", n=3.5)
    assert watched.told(target) == []


def test_an_offset_shifts_with_what_comes_before(watched: Watched) -> None:
    target = QueryTarget(watched.database, Query("", "c", order_by=(Order(N),), offset=3))
    assert spelled(target.start()) == ["+c/3"]
    watched.remove("c/0")
    assert watched.told(target) == ["-c/3"]


def test_a_projection_shows_only_its_fields(watched: Watched) -> None:
    target = QueryTarget(watched.database, Query("", "c", select=(N,)))
    target.start()
    watched.put("c/1", n=1, more=2)
    (event,) = target.changed(watched.changed)
    assert isinstance(event, Shown)
    assert event.document.fields == {"n": 1}


def test_a_collection_group_is_followed_at_any_depth(watched: Watched) -> None:
    target = QueryTarget(watched.database, Query("", "sub", descendants=True))
    assert target.start() == []
    watched.put("c/1/sub/x", n=1)
    watched.put("a/b/c/d/sub/y", n=1)
    watched.put("c/sub", n=1)
    assert watched.told(target) == ["+c/1/sub/x", "+a/b/c/d/sub/y"]


def test_a_reset_shows_everything_gone(watched: Watched) -> None:
    target = QueryTarget(watched.database, Query("", "c", where=LOW))
    target.start()
    watched.database.reset()
    assert sorted(watched.told(target)) == ["xc/0", "xc/1", "xc/2", "xc/3"]


def test_a_vector_search_cannot_be_followed(watched: Watched) -> None:
    nearest = FindNearest(N, (1.0,), "EUCLIDEAN", 1)
    with pytest.raises(Refusal, match="does not support real-time"):
        QueryTarget(watched.database, Query("", "c", nearest=nearest)).start()


def test_what_is_no_query_is_refused_at_the_start(watched: Watched) -> None:
    wrong = Query("", "c", start=Cursor((1, 2, 3), before=True))
    with pytest.raises(Refusal):
        QueryTarget(watched.database, wrong).start()
