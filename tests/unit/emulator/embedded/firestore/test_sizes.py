"""Sizes by the published rules, with the examples Google publishes."""

from __future__ import annotations

import pytest

from emulator.embedded.firestore.sizes import (
    MAX_DOCUMENT_BYTES,
    check_document_size,
    document_size,
    name_size,
    value_size,
)
from emulator.embedded.firestore.values import GeoPoint, Reference, Timestamp, Vector
from emulator.embedded.refusal import Refusal, Status

ROOT = "projects/p/databases/d/documents/"


def test_the_published_example_of_a_name_has_its_size() -> None:
    assert name_size("users/jeff/tasks/my_task_id") == 44


def test_the_published_example_of_a_document_has_its_size() -> None:
    fields = {
        "type": "Personal",
        "done": False,
        "priority": 1,
        "description": "Learn Cloud Firestore",
    }
    assert document_size("users/jeff/tasks/my_task_id", fields) == 44 + 14 + 6 + 17 + 34 + 32


def test_a_numeric_id_has_eight_bytes() -> None:
    assert name_size("users/__id7__") == 6 + 8 + 16


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (None, 1),
        (True, 1),
        (7, 8),
        (1.5, 8),
        (Timestamp(0), 8),
        ("", 1),
        ("é", 3),
        (b"abc", 3),
        (GeoPoint(0.0, 0.0), 16),
        (Reference(ROOT + "a/bcd"), 2 + 4 + 16),
        (Vector((1.0, 2.0)), 16),
        ([1, "a"], 10),
        ({"ab": 1}, 3 + 8 + 32),
        ((), 0),
    ],
)
def test_each_type_has_its_size(value, size) -> None:
    assert value_size(value) == size


def test_what_is_no_value_has_no_size() -> None:
    with pytest.raises(TypeError, match="no Firestore value"):
        value_size({1})


def test_a_document_may_have_a_mebibyte_and_not_one_byte_more() -> None:
    full = "x" * (MAX_DOCUMENT_BYTES - document_size("a/b", {"f": ""}))
    check_document_size(ROOT, "a/b", {"f": full})
    with pytest.raises(Refusal) as refused:
        check_document_size(ROOT, "a/b", {"f": full + "x"})
    assert refused.value.status is Status.INVALID_ARGUMENT
    assert refused.value.message == (
        f"Document '{ROOT}a/b' cannot be written because its size (1,048,577 bytes) exceeds the "
        "maximum allowed size of 1,048,576 bytes."
    )
