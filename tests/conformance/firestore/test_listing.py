"""Listing: .../docs/reference/rpc/google.firestore.v1#listdocumentsrequest."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud.firestore import AsyncClient, Client, CollectionReference

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference


@pytest.fixture
def full(db: Client, things: Things) -> Things:
    batch = db.batch()
    for path in ("a", "b", "b/sub/b1", "missing/sub/m1", "missing/other/m2/deep/m3"):
        batch.set(things.document(path), {"n": len(path), "m": {"k": 1}})
    batch.commit()
    return things


def listed(raw: Raw, things: Things, **request: Any) -> list[str]:
    request = {"parent": raw.root, "collection_id": things.id, **request}
    return [
        each.name.rpartition("/")[2]
        for each in raw.api.list_documents(request, metadata=raw.metadata)
    ]


def test_documents_are_listed_by_name(raw: Raw, full: Things) -> None:
    assert listed(raw, full) == ["a", "b"]


def test_parents_without_a_document_are_listed_where_asked(raw: Raw, full: Things) -> None:
    request = {"mask": {"field_paths": []}, "show_missing": True}
    assert listed(raw, full, **request) == ["a", "b", "missing"]
    documents = raw.api.list_documents(
        {"parent": raw.root, "collection_id": full.id, **request}, metadata=raw.metadata
    )
    missing = list(documents)[-1]
    assert not missing.fields
    assert missing.create_time is None
    assert missing.update_time is None


def test_the_client_lists_references(full: Things) -> None:
    assert [each.id for each in full.list_documents()] == ["a", "b", "missing"]


def test_documents_are_listed_page_by_page(raw: Raw, full: Things) -> None:
    request = {
        "parent": raw.root,
        "collection_id": full.id,
        "page_size": 1,
        "mask": {"field_paths": []},
        "show_missing": True,
    }
    pages = list(raw.api.list_documents(request, metadata=raw.metadata).pages)
    names = [[each.name.rpartition("/")[2] for each in page.documents] for page in pages]
    assert [name for page in names for name in page] == ["a", "b", "missing"]
    assert all(len(page) <= 1 for page in names)


def test_a_listing_can_cut_the_fields(raw: Raw, full: Things) -> None:
    request = {"parent": raw.root, "collection_id": full.id, "mask": {"field_paths": ["m.k"]}}
    assert all(
        each.fields.keys() == {"m"}
        for each in raw.api.list_documents(request, metadata=raw.metadata)
    )


def test_a_subcollection_is_listed_alone(raw: Raw, full: Things) -> None:
    request = {"parent": raw.name(f"{full.id}/b"), "collection_id": "sub"}
    assert [each.name for each in raw.api.list_documents(request, metadata=raw.metadata)] == [
        raw.name(f"{full.id}/b/sub/b1")
    ]


def test_nothing_is_listed_where_nothing_is(raw: Raw, things: Things) -> None:
    assert listed(raw, things) == []


def test_the_collections_of_a_document_are_listed(full: Things) -> None:
    assert [each.id for each in full.document("missing").collections()] == ["other", "sub"]
    assert [each.id for each in full.document("b").collections()] == ["sub"]
    assert list(full.document("a").collections()) == []


def test_the_collections_of_the_root_are_listed(db: Client, full: Things) -> None:
    found = [each.id for each in db.collections()]
    assert full.id in found
    assert "sub" not in found
    assert found == sorted(found)


def test_a_collection_ends_with_its_last_document(db: Client, things: Things) -> None:
    things.document("a").set({})
    assert things.id in [each.id for each in db.collections()]
    things.document("a").delete()
    assert things.id not in [each.id for each in db.collections()]


def test_collections_are_listed_page_by_page(raw: Raw, full: Things) -> None:
    request = {"parent": raw.name(f"{full.id}/missing"), "page_size": 1}
    pages = list(raw.api.list_collection_ids(request, metadata=raw.metadata).pages)
    assert [name for page in pages for name in page.collection_ids] == ["other", "sub"]


async def test_the_asynchronous_client_lists(adb: AsyncClient, full: Things) -> None:
    collection = adb.collection(full.id)
    assert [each.id async for each in collection.list_documents()] == ["a", "b", "missing"]
    found = collection.document("missing").collections()
    assert [each.id async for each in found] == ["other", "sub"]
