"""Writes that stand for themselves: .../reference/rpc/google.firestore.v1#batchwriterequest."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud.firestore import Client, CollectionReference
from google.rpc.code_pb2 import ALREADY_EXISTS, FAILED_PRECONDITION, NOT_FOUND, OK

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference


def test_each_write_succeeds_or_fails_alone(raw: Raw, things: Things) -> None:
    things.document("taken").set({"n": 1})
    old = things.document("taken").get().update_time
    things.document("stale").set({})
    absent, present = {"exists": False}, {"exists": True}
    answer = raw.batch_write(
        raw.put(f"{things.id}/new", {"n": {"integer_value": 1}}, current_document=absent),
        raw.put(f"{things.id}/taken", current_document=absent),
        {"delete": raw.name(f"{things.id}/missing"), "current_document": present},
        raw.put(f"{things.id}/stale", current_document={"update_time": old}),
        {"delete": raw.name(f"{things.id}/nothing")},
    )
    assert [each.code for each in answer.status] == [
        OK,
        ALREADY_EXISTS,
        NOT_FOUND,
        FAILED_PRECONDITION,
        OK,
    ]
    assert things.document("new").get().to_dict() == {"n": 1}
    assert things.document("taken").get().to_dict() == {"n": 1}


def test_results_go_with_the_writes(raw: Raw, things: Things) -> None:
    increment = [{"field_path": "n", "increment": {"integer_value": 2}}]
    answer = raw.batch_write(
        raw.put(f"{things.id}/a"), raw.put(f"{things.id}/b", update_transforms=increment)
    )
    first, second = answer.write_results
    assert first.update_time == things.document("a").get().update_time
    assert second.transform_results[0].integer_value == 2


def test_a_document_is_written_once(raw: Raw, things: Things) -> None:
    with pytest.raises(InvalidArgument):
        raw.batch_write(raw.put(f"{things.id}/a"), raw.put(f"{things.id}/a"))


def test_a_malformed_write_refuses_the_request(raw: Raw, things: Things) -> None:
    with pytest.raises(InvalidArgument):
        raw.batch_write(raw.put(f"{things.id}/a"), {"delete": raw.name(things.id)})
    assert not things.document("a").get().exists


def test_the_bulk_writer_writes(db: Client, things: Things) -> None:
    writer = db.bulk_writer()
    for number in range(50):
        writer.create(things.document(f"d{number}"), {"n": number})
    writer.close()
    assert sorted(each.get("n") for each in things.stream()) == list(range(50))
