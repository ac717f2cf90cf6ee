"""Documents: https://firebase.google.com/docs/firestore/manage-data/add-data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound
from google.cloud.firestore import DELETE_FIELD, AsyncClient, CollectionReference

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference


def test_a_set_document_can_be_read(things: Things) -> None:
    document = things.document("a")
    written = document.set({"n": 1})
    found = document.get()
    assert found.to_dict() == {"n": 1}
    assert found.update_time == found.create_time == written.update_time
    assert found.read_time >= found.update_time


def test_a_missing_document_is_told(things: Things) -> None:
    found = things.document("a").get()
    assert not found.exists
    assert found.read_time is not None


def test_a_set_replaces_all_fields(things: Things) -> None:
    document = things.document("a")
    document.set({"a": 1, "b": {"c": 2}})
    document.set({"b": {"d": 3}})
    assert document.get().to_dict() == {"b": {"d": 3}}


def test_a_merge_keeps_other_fields(things: Things) -> None:
    document = things.document("a")
    document.set({"a": 1, "b": {"c": 2, "e": [1]}})
    document.set({"b": {"d": 3, "e": [2]}}, merge=True)
    assert document.get().to_dict() == {"a": 1, "b": {"c": 2, "d": 3, "e": [2]}}


def test_a_merge_of_named_fields_writes_those_alone(things: Things) -> None:
    document = things.document("a")
    document.set({"a": 1, "b": {"c": 2}})
    document.set({"a": 9, "b": {"d": 3}}, merge=["b"])
    assert document.get().to_dict() == {"a": 1, "b": {"d": 3}}


def test_a_merge_makes_a_missing_document(things: Things) -> None:
    things.document("a").set({"b": {"c": 1}}, merge=True)
    assert things.document("a").get().to_dict() == {"b": {"c": 1}}


def test_an_update_changes_the_named_fields(things: Things) -> None:
    document = things.document("a")
    document.set({"a": 1, "b": {"c": 2, "d": 3}, "e": 4})
    document.update({"b.c": 9, "e": DELETE_FIELD, "f.g": 5})
    assert document.get().to_dict() == {"a": 1, "b": {"c": 9, "d": 3}, "f": {"g": 5}}


def test_an_update_of_a_map_replaces_it(things: Things) -> None:
    document = things.document("a")
    document.set({"b": {"c": 2, "d": 3}})
    document.update({"b": {"c": 9}})
    assert document.get().to_dict() == {"b": {"c": 9}}


def test_a_path_through_a_value_replaces_it(things: Things) -> None:
    document = things.document("a")
    document.set({"a": 1})
    document.update({"a.b": 2})
    assert document.get().to_dict() == {"a": {"b": 2}}


def test_deleting_a_nested_field_keeps_its_map(things: Things) -> None:
    document = things.document("a")
    document.set({"a": {"b": 1}})
    document.update({"a.b": DELETE_FIELD})
    assert document.get().to_dict() == {"a": {}}


def test_deleting_is_repeatable(things: Things) -> None:
    document = things.document("a")
    document.set({"n": 1})
    for _ in range(2):
        document.delete()
        assert not document.get().exists


def test_subdocuments_outlive_their_document(things: Things) -> None:
    parent, child = things.document("a"), things.document("a/sub/b")
    parent.set({})
    child.set({"n": 1})
    parent.delete()
    assert child.get().to_dict() == {"n": 1}


def test_times_tell_creation_and_change(things: Things) -> None:
    document = things.document("a")
    first = document.set({"n": 1}).update_time
    second = document.update({"n": 2}).update_time
    found = document.get()
    assert first < second
    assert (found.create_time, found.update_time) == (first, second)
    document.delete()
    document.set({"n": 3})
    assert document.get().create_time > second


def test_a_write_that_changes_nothing_keeps_the_time(things: Things) -> None:
    document = things.document("a")
    document.set({"n": 1, "m": [2]})
    before = document.get().update_time
    assert document.set({"m": [2], "n": 1}).update_time == before
    assert document.update({"n": 1}).update_time == before
    assert document.get().update_time == before


def test_times_are_now(things: Things) -> None:
    written = things.document("a").set({}).update_time
    assert abs(written - datetime.now(UTC)) < timedelta(seconds=5)


def test_ids_are_made_where_none_is_given(raw: Raw, things: Things) -> None:
    made = raw.api.create_document(
        {"parent": raw.root, "collection_id": things.id, "document": {"fields": {}}}
    )
    parent, _, generated = made.name.rpartition("/")
    assert parent == raw.name(things.id)
    assert len(generated) == 20
    assert made.create_time == made.update_time


def test_create_document_takes_an_id_once(raw: Raw, things: Things) -> None:
    request = {"parent": raw.root, "collection_id": things.id, "document_id": "a", "document": {}}
    assert raw.api.create_document(request).name == raw.name(f"{things.id}/a")
    with pytest.raises(AlreadyExists):
        raw.api.create_document(request)


def test_get_document_knows_masks_and_missing_documents(raw: Raw, things: Things) -> None:
    things.document("a").set({"a": 1, "b": {"c": 2, "d": 3}})
    name = raw.name(f"{things.id}/a")
    mask = {"field_paths": ["b.c", "nothing"]}
    found = raw.api.get_document({"name": name, "mask": mask})
    assert found.fields["b"].map_value.fields.keys() == {"c"}
    assert found.fields.keys() == {"b"}
    with pytest.raises(NotFound):
        raw.api.get_document({"name": name + "b"})


def test_update_document_makes_or_changes(raw: Raw, things: Things) -> None:
    name = raw.name(f"{things.id}/a")
    made = raw.api.update_document(
        {"document": {"name": name, "fields": {"a": {"integer_value": 1}}}}
    )
    changed = raw.api.update_document(
        {
            "document": {"name": name, "fields": {"b": {"integer_value": 2}}},
            "update_mask": {"field_paths": ["b"]},
        }
    )
    assert made.fields.keys() == {"a"}
    assert changed.fields.keys() == {"a", "b"}


def test_delete_document_deletes(raw: Raw, things: Things) -> None:
    things.document("a").set({})
    raw.api.delete_document({"name": raw.name(f"{things.id}/a")})
    assert not things.document("a").get().exists
    with pytest.raises(NotFound):
        raw.api.delete_document(
            {"name": raw.name(f"{things.id}/a"), "current_document": {"exists": True}}
        )


@pytest.mark.parametrize("path", ["", "a", "a/b/c", "a//b", "a/b/"])
def test_a_document_has_an_even_path(raw: Raw, path: str) -> None:
    with pytest.raises(InvalidArgument):
        raw.api.get_document({"name": f"{raw.root}/{path}"})


async def test_the_asynchronous_client_writes_and_reads(adb: AsyncClient, things: Things) -> None:
    document = adb.collection(things.id).document("a")
    await document.create({"a": 1})
    await document.update({"b": 2})
    assert (await document.get()).to_dict() == {"a": 1, "b": 2}
    await document.delete()
    assert not (await document.get()).exists
