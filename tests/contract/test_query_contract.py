"""What every Store finds, held by the double and by Firestore."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared.ports import Create, Query, Update

if TYPE_CHECKING:
    from shared.ports import Store


async def _numbered(store: Store, collection: str) -> None:
    rows: dict[str, Any] = {"a": 3, "b": 1, "c": 2, "d": 2.5, "e": "text", "f": None}
    await store.commit([Create(f"{collection}/{name}", {"n": n}) for name, n in rows.items()])
    await store.commit([Create(f"{collection}/without", {"other": 1})])
    await store.commit([Create(f"{collection}/a/steps/nested", {"n": 2})])


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ((("n", "==", 2),), "c"),
        ((("n", "==", None),), "f"),
        ((("n", "<", 2.5),), "bc"),
        ((("n", "<=", 2.5),), "bcd"),
        ((("n", ">", 2),), "da"),
        ((("n", ">=", 2),), "cda"),
        ((("n", ">=", 2), ("n", "<", 3)), "cd"),
        ((("n", ">=", "a"),), "e"),
        ((("n", "==", "nothing"),), ""),
        ((("n", "in", [1, "text", 7]),), "be"),
        ((("n", "in", [2]), ("n", "==", 2)), "c"),
        ((), ["a", "b", "c", "d", "e", "f", "without"]),
    ],
)
async def test_find_filters(
    store: Store, collection: str, where: tuple[Any, ...], names: str | list[str]
) -> None:
    await _numbered(store, collection)
    found = await store.find(Query(collection, where))
    assert [document.name for document in found] == list(names)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"order_by": "n"}, "fbcdae"),
        ({"order_by": "n", "descending": True}, "eadcbf"),
        ({"order_by": "n", "descending": True, "limit": 2}, "ea"),
        ({"order_by": "n", "where": (("n", ">", 1),), "limit": 2}, "cd"),
        ({"limit": 3}, "abc"),
    ],
)
async def test_find_orders_and_limits(
    store: Store, collection: str, query: dict[str, Any], names: str
) -> None:
    await _numbered(store, collection)
    found = await store.find(Query(collection, **query))
    assert [document.name for document in found] == list(names)


async def test_find_reads_a_nested_collection(store: Store, collection: str) -> None:
    await _numbered(store, collection)
    [found] = await store.find(Query(f"{collection}/a/steps"))
    assert (found.path, found.data) == (f"{collection}/a/steps/nested", {"n": 2})
    assert await store.find(Query(f"{collection}/b/steps")) == []


async def test_find_filters_by_one_field_and_orders_by_another(
    store: Store, collection: str
) -> None:
    rows = [("a", "x", 2), ("b", "y", 3), ("c", "x", 1)]
    writes = [Create(f"{collection}/{name}", {"kind": kind, "n": n}) for name, kind, n in rows]
    await store.commit(writes)
    found = await store.find(Query(collection, (("kind", "==", "x"),), order_by="n"))
    assert [document.name for document in found] == ["c", "a"]


@pytest.mark.parametrize(
    "where",
    [
        (),
        (("n", ">=", 2),),
        (("n", "==", "nothing"),),
        (("n", "in", [1, 2, None]),),
        (("kind", "==", "x"), ("n", "in", [1, 2])),
    ],
)
async def test_a_count_is_of_what_would_be_found(
    store: Store, collection: str, where: tuple[Any, ...]
) -> None:
    await _numbered(store, collection)
    rows = [Create(f"{collection}/k{n}", {"n": n, "kind": "x"}) for n in range(4)]
    await store.commit(rows)
    query = Query(collection, where)
    assert await store.count(query) == len(await store.find(query))


async def test_a_limited_query_counts_no_more_than_that(store: Store, collection: str) -> None:
    await _numbered(store, collection)
    assert await store.count(Query(collection, limit=3)) == 3


async def test_whoever_counts_after_a_commit_counts_it(store: Store, collection: str) -> None:
    """Of all who commit and then count, one at least counts all."""

    async def create_and_count(number: int) -> int:
        await store.commit([Create(f"{collection}/{number}", {"of": "map"})])
        return await store.count(Query(collection, (("of", "==", "map"),)))

    counted = await asyncio.gather(*(create_and_count(number) for number in range(20)))
    assert max(counted) == 20
    assert min(counted) >= 1


async def test_what_a_group_finds_can_be_updated_as_it_was_found(
    store: Store, collection: str
) -> None:
    path = f"{collection}/a/steps/one"
    due = datetime(2026, 1, 1, tzinfo=UTC)
    await store.commit([Create(path, {"due": due})])
    query = Query("steps", (("due", "<=", due),), order_by="due", group=True)
    [found] = [one for one in await store.find(query) if one.path == path]
    same = await store.get(path)
    assert same is not None
    assert found == same
    await store.commit([Update(path, {"due": None}, found.revision)])
    assert [one.path for one in await store.find(query) if one.path == path] == []
