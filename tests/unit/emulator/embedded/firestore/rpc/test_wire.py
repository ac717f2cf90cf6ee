"""What goes over the wire means the same on both sides; what means nothing is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from emulator.embedded.firestore.model import (
    Delete,
    Document,
    Elements,
    Numeric,
    Precondition,
    ServerTime,
    Transforms,
    Update,
    Written,
)
from emulator.embedded.firestore.rpc.wire import (
    document_message,
    document_path,
    fill_result,
    split_name,
    split_parent,
)
from emulator.embedded.firestore.rpc.wire_values import decode, encode, micros, set_time
from emulator.embedded.firestore.rpc.wire_writes import write_of
from emulator.embedded.firestore.values import GeoPoint, Reference, Timestamp, Vector
from emulator.embedded.messages import Timestamp as TimestampMessage
from emulator.embedded.messages import firestore_pb
from emulator.embedded.refusal import Refusal, Status

DB = "projects/p/databases/d"
FIELD = {"field_path": "a"}
NAME = f"{DB}/documents/c/x"
VALUES = [
    None,
    True,
    False,
    0,
    -(2**63),
    2**63 - 1,
    1.0,
    -0.0,
    math.inf,
    "",
    "\x00é\U0001f600",
    b"",
    b"\xff\x00",
    Timestamp(0),
    Timestamp(-62_135_596_800_000_000),
    Timestamp(253_402_300_799_999_999),
    Timestamp(-1),
    Reference(NAME),
    GeoPoint(0.0, 0.0),
    GeoPoint(-90.0, 180.0),
    Vector((1.0, -2.5)),
    Vector(()),
    [],
    [1, [None], {"a": []}],
    {},
    {"__type__": "other", "value": [1]},
    {"": {"a.b": {"c": Timestamp(1)}}, "`": b"x"},
]


def refused(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        call()
    assert caught.value.status is Status.INVALID_ARGUMENT


def write(**fields: Any) -> Any:
    return write_of(DB, firestore_pb.Write(**fields))


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_survives_the_wire(value: Any) -> None:
    sent = encode(value).SerializeToString()
    read = decode(firestore_pb.Value.FromString(sent))
    assert read == value
    assert type(read) is type(value)


def test_nan_and_the_sign_of_zero_survive_the_wire() -> None:
    assert math.isnan(decode(encode(math.nan)))
    assert math.copysign(1, decode(encode(-0.0))) == -1


def test_a_vector_is_a_typed_map_of_doubles() -> None:
    fields = encode(Vector((1.0, 2.0))).map_value.fields
    assert fields["__type__"].string_value == "__vector__"
    assert [one.double_value for one in fields["value"].array_value.values] == [1.0, 2.0]


@pytest.mark.parametrize(
    "fields",
    [
        {"__type__": "__vector__"},
        {"__type__": "__vector__", "value": 1},
        {"__type__": "__vector__", "value": ["a"]},
        {"__type__": "__vector__", "value": [1, 2.5]},
        {"__type__": "__vector__", "value": [1.0], "more": 1},
    ],
    ids=repr,
)
def test_what_calls_itself_a_vector_must_be_one(fields: Any) -> None:
    refused(lambda: decode(encode(fields)), "ector must")


@pytest.mark.parametrize(
    "inside", [lambda v: v, lambda v: [v], lambda v: {"a": v}], ids=["bare", "array", "map"]
)
def test_a_value_without_a_type_is_refused(inside: Callable[[Any], Any]) -> None:
    value = encode(inside(None))
    for place in (value, *value.array_value.values, *value.map_value.fields.values()):
        if place.WhichOneof("value_type") == "null_value":
            place.Clear()
    refused(lambda: decode(value), "type unset")


def test_values_of_pipelines_are_refused() -> None:
    refused(lambda: decode(firestore_pb.Value(field_reference_value="f")), "pipelines only")


def test_a_time_finer_than_a_microsecond_is_cut() -> None:
    assert micros(TimestampMessage(seconds=1, nanos=1_999)) == 1_000_001
    assert micros(TimestampMessage(seconds=-1, nanos=999_999_999)) == -1
    message = TimestampMessage()
    set_time(message, -1)
    assert (message.seconds, message.nanos) == (-1, 999_999_000)


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(253_402_300_800, 0), (-62_135_596_801, 0), (0, -1), (0, 10**9)]
)
def test_a_time_out_of_range_is_refused(seconds: int, nanos: int) -> None:
    refused(lambda: micros(TimestampMessage(seconds=seconds, nanos=nanos)), "exceeds limit")


def test_a_name_is_the_database_and_a_path() -> None:
    assert split_name(NAME) == (DB, "c/x")
    assert split_name(f"{DB}/documents") == (DB, "")
    assert split_parent(f"{DB}/documents") == (DB, "")
    assert document_path(DB, NAME) == "c/x"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "c/x",
        "projects/p/databases/d",
        "projects/p/databases/d/c/x",
        "a/p/databases/d/documents/c/x",
    ],
)
def test_a_name_of_another_form_is_refused(name: str) -> None:
    refused(lambda: split_name(name), "Invalid resource name")


@pytest.mark.parametrize(
    "name", ["projects/other/databases/d/documents/c/x", "projects/p/databases/e/documents/c/x", ""]
)
def test_a_document_of_another_database_is_refused(name: str) -> None:
    refused(lambda: document_path(DB, name), "is not in the database")
    refused(lambda: write(delete=name), "is not in the database")
    refused(lambda: write(update={"name": name}), "is not in the database")


@pytest.mark.parametrize("path", ["c", "c/x/s", "c//s/x", "c/.."])
def test_what_names_no_document_is_refused(path: str) -> None:
    refused(lambda: document_path(DB, f"{DB}/documents/{path}"), "Document name")


def test_a_document_carries_name_times_and_masked_fields() -> None:
    document = Document("c/x", {"a": {"b": 1, "c": 2}, "d": 3, "e.f": 4}, 1_000_001, 2_000_002)
    message = document_message(DB, document, [("a", "b"), ("e.f",), ("no",), ("__name__",)])
    assert message.name == NAME
    assert {name: decode(one) for name, one in message.fields.items()} == {"a": {"b": 1}, "e.f": 4}
    assert micros(message.create_time) == 1_000_001
    assert micros(message.update_time) == 2_000_002
    assert set(document_message(DB, document).fields) == {"a", "d", "e.f"}


def test_an_update_with_everything() -> None:
    assert write(
        update={"name": NAME, "fields": {"a": encode(1)}},
        update_mask={"field_paths": ["a", "b.`c.d`"]},
        update_transforms=[
            {"field_path": "t", "set_to_server_value": 1},
            {"field_path": "n.m", "increment": encode(2)},
            {"field_path": "hi", "maximum": encode(2.5)},
            {"field_path": "lo", "minimum": encode(-1)},
            {"field_path": "l", "append_missing_elements": {"values": [encode("x")]}},
            {"field_path": "l", "remove_all_from_array": {"values": [encode(None)]}},
        ],
        current_document={"update_time": {"seconds": 3}},
    ) == Update(
        "c/x",
        {"a": 1},
        mask=(("a",), ("b", "c.d")),
        transforms=(
            ServerTime(("t",)),
            Numeric(("n", "m"), "increment", 2),
            Numeric(("hi",), "maximum", 2.5),
            Numeric(("lo",), "minimum", -1),
            Elements(("l",), "append_missing", ("x",)),
            Elements(("l",), "remove_all", (None,)),
        ),
        precondition=Precondition(updated_at=3_000_000),
    )


def test_no_mask_replaces_and_an_empty_mask_does_not() -> None:
    assert write(update={"name": NAME}) == Update("c/x", {})
    assert write(update={"name": NAME}, update_mask={}) == Update("c/x", {}, mask=())


def test_a_delete_and_an_old_transform() -> None:
    assert write(delete=NAME, current_document={"exists": True}) == Delete(
        "c/x", Precondition(exists=True)
    )
    transform = {
        "document": NAME,
        "field_transforms": [{"field_path": "t", "set_to_server_value": 1}],
    }
    assert write(transform=transform) == Transforms("c/x", (ServerTime(("t",)),))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "must have an operation"),
        ({"delete": NAME, "update_mask": {}}, "update_mask"),
        ({"delete": NAME, "update_transforms": [{"field_path": "a"}]}, "update_transforms"),
        ({"update": {"name": NAME}, "update_transforms": [{"field_path": "a"}]}, "have a type"),
        (
            {
                "update": {"name": NAME},
                "update_transforms": [{"field_path": "a", "set_to_server_value": 0}],
            },
            "ServerValue type must be specified",
        ),
        ({"update": {"name": NAME}, "update_mask": {"field_paths": ["a..b"]}}, "Invalid property"),
        ({"update": {"name": NAME}, "update_mask": {"field_paths": [""]}}, "empty property"),
        ({"update": {"name": NAME, "fields": {"a": {}}}}, "type unset"),
    ],
)
def test_what_is_no_write_is_refused(fields: Any, words: str) -> None:
    refused(lambda: write(**fields), words)


def test_a_result_has_a_time_only_where_the_document_remains() -> None:
    message = firestore_pb.WriteResult()
    fill_result(message, Written(5_000_000, (1, None)))
    assert message.update_time.seconds == 5
    assert [decode(one) for one in message.transform_results] == [1, None]
    gone = firestore_pb.WriteResult()
    fill_result(gone, Written(None))
    assert not gone.HasField("update_time")
