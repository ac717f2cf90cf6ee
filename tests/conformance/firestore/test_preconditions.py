"""Preconditions: https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.api_core.exceptions import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from google.cloud.firestore import Client, CollectionReference

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference


def test_a_document_is_created_once(things: Things) -> None:
    document = things.document("a")
    document.create({"n": 1})
    with pytest.raises(AlreadyExists):
        document.create({"n": 2})
    assert document.get().to_dict() == {"n": 1}


def test_only_what_exists_is_updated(things: Things) -> None:
    with pytest.raises(NotFound):
        things.document("a").update({"n": 1})
    assert not things.document("a").get().exists


def test_an_update_can_ask_for_the_last_change(db: Client, things: Things) -> None:
    document = things.document("a")
    first = document.set({"n": 1}).update_time
    second = document.update({"n": 2}, option=db.write_option(last_update_time=first)).update_time
    with pytest.raises(FailedPrecondition):
        document.update({"n": 3}, option=db.write_option(last_update_time=first))
    with pytest.raises(FailedPrecondition):
        document.delete(option=db.write_option(last_update_time=first))
    document.delete(option=db.write_option(last_update_time=second))
    assert not document.get().exists


def test_only_what_exists_is_deleted_where_that_is_asked(db: Client, things: Things) -> None:
    exists = db.write_option(exists=True)
    with pytest.raises(NotFound):
        things.document("a").delete(option=exists)
    things.document("a").set({})
    things.document("a").delete(option=exists)
    assert not things.document("a").get().exists


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("wanted", [True, False])
def test_a_set_can_ask_for_existence(
    raw: Raw,
    things: Things,
    exists: bool,  # noqa: FBT001
    wanted: bool,  # noqa: FBT001
) -> None:
    if exists:
        things.document("a").set({})
    write = raw.put(
        f"{things.id}/a", {"n": {"integer_value": 1}}, current_document={"exists": wanted}
    )
    if exists == wanted:
        raw.commit(write)
        assert things.document("a").get().to_dict() == {"n": 1}
        return
    with pytest.raises(AlreadyExists if exists else NotFound):
        raw.commit(write)
    assert things.document("a").get().to_dict() == ({} if exists else None)


def test_a_missing_document_has_no_last_change(db: Client, things: Things) -> None:
    written = things.document("a").set({}).update_time
    option = db.write_option(last_update_time=written)
    with pytest.raises((FailedPrecondition, NotFound)):
        things.document("b").update({"n": 1}, option=option)


def test_the_last_change_is_exact(db: Client, things: Things) -> None:
    document = things.document("a")
    written = document.set({}).update_time
    option = db.write_option(last_update_time=written - timedelta(microseconds=1))
    with pytest.raises(FailedPrecondition):
        document.update({"n": 1}, option=option)


def test_a_batch_is_all_or_nothing(db: Client, things: Things) -> None:
    things.document("taken").set({})
    batch = db.batch()
    batch.set(things.document("new"), {})
    batch.create(things.document("taken"), {"n": 1})
    batch.delete(things.document("taken"))
    with pytest.raises(AlreadyExists):
        batch.commit()
    assert not things.document("new").get().exists
    assert things.document("taken").get().exists


def test_the_writes_of_a_batch_share_their_time(db: Client, things: Things) -> None:
    batch = db.batch()
    batch.set(things.document("a"), {"n": 1})
    batch.create(things.document("b"), {"n": 2})
    results = batch.commit()
    assert len({result.update_time for result in results}) == 1
    assert batch.commit_time == results[0].update_time


def test_the_writes_of_a_batch_see_those_before_them(db: Client, things: Things) -> None:
    batch = db.batch()
    batch.create(things.document("a"), {"n": 1})
    batch.update(things.document("a"), {"m": 2})
    batch.delete(things.document("a"))
    batch.create(things.document("a"), {"k": 3})
    batch.commit()
    assert things.document("a").get().to_dict() == {"k": 3}


def test_a_write_names_a_document(raw: Raw, things: Things) -> None:
    for name in (raw.name(things.id), "a/b", ""):
        with pytest.raises(InvalidArgument):
            raw.commit({"update": {"name": name}})
        with pytest.raises(InvalidArgument):
            raw.commit({"delete": name})


def test_a_write_does_something(raw: Raw) -> None:
    with pytest.raises(InvalidArgument):
        raw.commit({})
