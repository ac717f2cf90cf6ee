"""What every Store finds, held by the double and by Firestore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.ports import Create, Query

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
