"""Many documents at once: .../reference/rpc/google.firestore.v1#batchgetdocumentsrequest."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud.firestore import AsyncClient, Client, CollectionReference

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference


def test_found_and_missing_documents_are_told_apart(db: Client, things: Things) -> None:
    for number in range(5):
        things.document(f"d{number}").set({"n": number})
    wanted = [things.document(f"d{number}") for number in (4, 9, 0)]
    found = {each.id: each.to_dict() for each in db.get_all(wanted)}
    assert found == {"d4": {"n": 4}, "d9": None, "d0": {"n": 0}}


def test_documents_of_many_collections_come_together(db: Client, things: Things) -> None:
    paths = [things.document("a"), things.document("a/sub/b"), things.document("a/sub/b/sub/c")]
    for number, document in enumerate(paths):
        document.set({"n": number})
    assert sorted(each.get("n") for each in db.get_all(paths)) == [0, 1, 2]


def test_all_are_read_at_one_time(db: Client, things: Things) -> None:
    for name in "abc":
        things.document(name).set({})
    found = db.get_all([things.document(name) for name in "abcd"])
    assert len({each.read_time for each in found}) == 1


def test_a_mask_cuts_the_fields(db: Client, things: Things) -> None:
    things.document("a").set({"a": 1, "b": {"c": 2, "d": 3}, "e": 4})
    [found] = db.get_all([things.document("a")], field_paths=["a", "b.d", "nothing"])
    assert found.to_dict() == {"a": 1, "b": {"d": 3}}
    assert things.document("a").get(field_paths=["e"]).to_dict() == {"e": 4}


def test_a_document_asked_for_twice_comes_once(raw: Raw, things: Things) -> None:
    things.document("a").set({})
    names = [raw.name(f"{things.id}/a")] * 2
    answers = raw.api.batch_get_documents({"database": raw.database, "documents": names})
    assert len([each for each in answers if each.found or each.missing]) == 1


def test_nothing_asked_for_is_nothing_found(raw: Raw) -> None:
    answers = raw.api.batch_get_documents({"database": raw.database, "documents": []})
    assert not [each for each in answers if each.found or each.missing]


def test_a_document_of_another_database_is_refused(raw: Raw, things: Things) -> None:
    elsewhere = raw.name(f"{things.id}/a").replace("(default)", "other")
    with pytest.raises(InvalidArgument):
        list(raw.api.batch_get_documents({"database": raw.database, "documents": [elsewhere]}))


def test_only_documents_are_asked_for(raw: Raw, things: Things) -> None:
    with pytest.raises(InvalidArgument):
        list(
            raw.api.batch_get_documents(
                {"database": raw.database, "documents": [raw.name(things.id)]}
            )
        )


async def test_the_asynchronous_client_gets_many(adb: AsyncClient, things: Things) -> None:
    collection = adb.collection(things.id)
    await collection.document("a").set({"n": 1})
    wanted = [collection.document("a"), collection.document("b")]
    found = {each.id: each.exists async for each in adb.get_all(wanted)}
    assert found == {"a": True, "b": False}
