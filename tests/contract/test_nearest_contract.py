"""What every Store finds near a vector, held by the doubles and by Firestore."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain.retrieval.vectors import Vector
from shared.ports import Create, Nearest, Put

if TYPE_CHECKING:
    from shared.ports import Store

EAST = Vector((1.0, 0.0))
NORTH = Vector((0.0, 1.0))
NORTH_EAST = Vector((2.0, 2.0))


async def placed(store: Store, collection: str) -> str:
    """Documents in a collection below another, beside some that no search may find."""
    chunks = f"{collection}/docs/chunks"
    rows: dict[str, Any] = {
        "east": {"vector": EAST, "metadata": {"kind": "a", "n": 1}},
        "north": {"vector": NORTH, "metadata": {"kind": "b"}},
        "between": {"vector": NORTH_EAST, "metadata": {"kind": "b"}, "text": "between"},
        "longer": {"vector": Vector((1.0, 0.0, 0.0)), "metadata": {"kind": "a"}},
        "none": {"text": "has no vector"},
    }
    await store.commit([Create(f"{chunks}/{name}", row) for name, row in rows.items()])
    await store.commit([Put(f"{collection}/other/chunks/east", {"vector": EAST})])
    return chunks


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ({}, ["east", "between", "north"]),
        ({"limit": 1}, ["east"]),
        ({"within": 0.5}, ["east", "between"]),
        ({"where": (("metadata.kind", "==", "b"),)}, ["between", "north"]),
        ({"where": (("metadata.kind", "==", "b"),), "within": 0.1}, []),
        ({"where": (("metadata.n", "==", 1),)}, ["east"]),
        ({"vector": NORTH, "limit": 2}, ["north", "between"]),
    ],
)
async def test_the_nearest_come_first_and_only_those_asked_for(
    store: Store, collection: str, search: dict[str, Any], names: list[str]
) -> None:
    chunks = await placed(store, collection)
    found = await store.nearest(Nearest(chunks, **{"vector": EAST, "limit": 10, **search}))
    assert [one.document.name for one in found] == names


async def test_a_found_document_is_whole_and_says_how_far_it_is(
    store: Store, collection: str
) -> None:
    chunks = await placed(store, collection)
    [_, found] = await store.nearest(Nearest(chunks, EAST, 2))
    assert found.document == await store.get(f"{chunks}/between")
    assert found.document.data["vector"] == NORTH_EAST
    assert found.distance == pytest.approx(1 - math.sqrt(0.5))
