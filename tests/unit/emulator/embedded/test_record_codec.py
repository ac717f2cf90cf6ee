"""Records come back from the file as they were put, type by type, and nothing else does."""

from __future__ import annotations

import importlib
import inspect
import math
from dataclasses import dataclass, is_dataclass
from typing import Any

import pytest

from emulator.embedded import record_codec
from emulator.embedded.firestore.model import Document
from emulator.embedded.firestore.values import GeoPoint, Reference, Timestamp, Vector
from emulator.embedded.pubsub import records
from emulator.embedded.pubsub.model import (
    DeadLetterPolicy,
    Message,
    Push,
    RetryPolicy,
    Subscription,
    Topic,
)
from emulator.embedded.record_codec import decode, encode

DOCUMENT = Document(
    "runs/r1",
    {
        "null": None,
        "flag": True,
        "whole": 2**63 - 1,
        "real": 1.0,
        "zero": -0.0,
        "endless": [math.inf, -math.inf],
        "text": "naïve\u0000 \U0001f600",
        "raw": b"\x00\xff",
        "at": Timestamp(1),
        "to": Reference("projects/p/databases/d/documents/a/b"),
        "place": GeoPoint(1.5, -0.0),
        "embedding": Vector((1.0, 2.0)),
        "list": [1, [], {}],
        "$odd": {"$bytes": "no bytes", "": {}},
    },
    1,
    2,
)
SUBSCRIPTION = Subscription(
    "projects/p/subscriptions/s",
    "projects/p/topics/t",
    push=Push("https://e.example", attributes={"x-goog-version": "v1"}),
    dead_letter=DeadLetterPolicy("projects/p/topics/d"),
    retry=RetryPolicy(),
    labels={"a": "b"},
    expires_after=None,
)
RECORDS = (
    DOCUMENT,
    records.SubscriptionRecord(SUBSCRIPTION, 7),
    records.MessageRecord(Message("1", b"\x80", {"k": "v"}, 5, "key", 9), 0),
    records.TopicRecord(Topic("projects/p/topics/t", {}, 600), 1),
    {},
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was(record: Any) -> None:
    back = decode(encode(record))
    assert back == record
    assert repr(back) == repr(record)  # 1 is not 1.0, nor a list a tuple


def test_nan_comes_back() -> None:
    assert math.isnan(decode(encode(math.nan)))


def test_what_is_written_is_json_that_a_person_can_read() -> None:
    assert encode(Topic("t", {"a": "ä"}, 600)) == (
        '{"$Topic":{"name":"t","labels":{"a":"ä"},"retention":600}}'
    )


def test_every_record_of_the_broker_is_known() -> None:
    defined = {
        name
        for name, found in inspect.getmembers(records, inspect.isclass)
        if is_dataclass(found) and found.__module__ == records.__name__
    }
    assert defined == set(record_codec.KNOWN[records.__name__])


def test_names_are_unique_and_exist() -> None:
    names = [name for names in record_codec.KNOWN.values() for name in names]
    assert len(names) == len(set(names))
    for module, its in record_codec.KNOWN.items():
        assert all(hasattr(importlib.import_module(module), name) for name in its)


@dataclass
class Stranger:
    """No record of a core."""

    name: str


@pytest.mark.parametrize("value", [object(), Stranger("x"), {"a": 1 + 2j}])
def test_what_is_no_record_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no known record"):
        encode(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"$Nothing":{}}',
        '{"$Topic":{"colour":"red"}}',
        '{"$Topic":{}}',
        '{"$Topic":[]}',
        '{"$bytes":"?"}',
        '{"$bytes":1}',
        '{"$tuple":[],"$set":[]}',
    ],
)
def test_what_was_not_written_here_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds, all told as ValueError
        decode(text)
