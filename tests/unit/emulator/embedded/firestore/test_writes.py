"""One write on one document: preconditions, masks, transforms, what keeps the update time."""

from __future__ import annotations

import math

import pytest

from emulator.embedded.firestore.model import (
    Delete,
    Document,
    Numeric,
    Precondition,
    ServerTime,
    Transforms,
    Update,
)
from emulator.embedded.firestore.values import Timestamp
from emulator.embedded.firestore.writes import check_precondition, check_write, written
from emulator.embedded.refusal import Refusal, Status

ROOT = "projects/p/databases/d/documents/"
NOW = 5_000_000


def stored(**fields) -> Document:
    return Document("a/b", fields, 1, 2)


def merged(before: dict, given: dict, *mask: tuple[str, ...]) -> dict:
    after, _ = written(Update("a/b", given, mask=mask), stored(**before), NOW)
    assert after is not None
    return dict(after.fields)


def test_a_write_without_a_mask_replaces_the_document_and_keeps_its_creation() -> None:
    after, _ = written(Update("a/b", {"y": 2}), stored(x=1), NOW)
    assert after == Document("a/b", {"y": 2}, 1, NOW)


def test_a_new_document_is_created_now() -> None:
    after, _ = written(Update("a/b", {"y": 2}), None, NOW)
    assert after == Document("a/b", {"y": 2}, NOW, NOW)


@pytest.mark.parametrize(
    ("before", "given", "mask", "after"),
    [
        ({"x": 1, "y": 1}, {"x": 2, "z": 9}, [("x",)], {"x": 2, "y": 1}),
        ({"x": 1, "y": 1}, {}, [("x",)], {"y": 1}),
        ({}, {"p": {"q": 1}, "z": 9}, [("p", "q")], {"p": {"q": 1}}),
        ({"p": {"q": 1, "r": 2}}, {"p": {"q": 3}}, [("p", "q")], {"p": {"q": 3, "r": 2}}),
        ({"p": {"q": 1}}, {}, [("p", "q")], {"p": {}}),
        ({}, {}, [("p", "q")], {}),
        ({"p": 3}, {}, [("p", "q")], {"p": 3}),
        ({"p": 3}, {"p": {"q": {"r": 1}}}, [("p", "q", "r")], {"p": {"q": {"r": 1}}}),
        ({"p": 3}, {"p": {"q": 1}}, [("p",), ("p", "q")], {"p": {"q": 1}}),
        ({"p": 3}, {"k": 1}, [], {"p": 3}),
        ({"p": 3}, {"k": 1}, [("__name__",)], {"p": 3}),
        ({"a.b": 1}, {"a.b": 2}, [("a.b",)], {"a.b": 2}),
    ],
)
def test_a_mask_touches_only_what_it_names(before, given, mask, after) -> None:
    assert merged(before, given, *mask) == after


def test_an_empty_mask_creates_an_empty_document() -> None:
    after, _ = written(Update("a/b", {"k": 1}, mask=()), None, NOW)
    assert after == Document("a/b", {}, NOW, NOW)


@pytest.mark.parametrize(
    "write",
    [
        Update("a/b", {"x": 1, "m": {"k": [math.nan]}}),
        Update("a/b", {"x": 1}, mask=(("x",),)),
        Update("a/b", {}, mask=(("y",),)),
        Update("a/b", {}, mask=(), transforms=(Numeric(("x",), "maximum", 1.0),)),
        Transforms("a/b", (Numeric(("x",), "increment", 0),)),
    ],
)
def test_a_write_that_changes_nothing_keeps_the_update_time(write) -> None:
    before = stored(x=1, m={"k": [math.nan]})
    after, _ = written(write, before, NOW)
    assert after is before


@pytest.mark.parametrize(("before", "after"), [(1, 1.0), (0.0, -0.0)])
def test_another_kind_of_the_same_number_is_a_change(before, after) -> None:
    document, _ = written(Update("a/b", {"x": after}), stored(x=before), NOW)
    assert document is not None
    assert document.updated_at == NOW


def test_transforms_see_the_fields_of_the_same_write() -> None:
    write = Update(
        "a/b", {"n": 5}, transforms=(Numeric(("n",), "increment", 1), ServerTime(("t",)))
    )
    after, results = written(write, stored(n=100), NOW)
    assert after is not None
    assert after.fields == {"n": 6, "t": Timestamp(NOW)}
    assert results == (6, Timestamp(NOW))


def test_transforms_alone_create_the_document() -> None:
    after, results = written(Transforms("a/b", (Numeric(("n",), "increment", 1),)), None, NOW)
    assert (after, results) == (Document("a/b", {"n": 1}, NOW, NOW), (1,))


def test_a_delete_leaves_nothing() -> None:
    assert written(Delete("a/b"), stored(x=1), NOW) == (None, ())
    assert written(Delete("a/b"), None, NOW) == (None, ())


@pytest.mark.parametrize(
    ("precondition", "document", "status", "message"),
    [
        (Precondition(exists=True), None, Status.NOT_FOUND, "No document to update: name"),
        (
            Precondition(exists=False),
            stored(),
            Status.ALREADY_EXISTS,
            "Document already exists: name",
        ),
        (
            Precondition(updated_at=9),
            stored(),
            Status.FAILED_PRECONDITION,
            "the stored version (2) does not match the required base version (9)",
        ),
        (
            Precondition(updated_at=9),
            None,
            Status.FAILED_PRECONDITION,
            "the stored version (0) does not match the required base version (9)",
        ),
        (
            Precondition(updated_at=0),
            None,
            Status.FAILED_PRECONDITION,
            "the stored version (0) does not match the required base version (0)",
        ),
    ],
)
def test_a_failed_precondition_says_what_is_stored(precondition, document, status, message) -> None:
    with pytest.raises(Refusal) as refused:
        check_precondition(precondition, "name", document)
    assert (refused.value.status, refused.value.message) == (status, message)


@pytest.mark.parametrize(
    ("precondition", "document"),
    [
        (Precondition(), None),
        (Precondition(exists=True), stored()),
        (Precondition(exists=False), None),
        (Precondition(updated_at=2), stored()),
    ],
)
def test_a_precondition_that_holds_lets_pass(precondition, document) -> None:
    check_precondition(precondition, "name", document)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (Update("a", {}), "lacks"),
        (Update("a/b", {"x": [[1]]}), "array value in an array"),
        (Update("a/b", {"x": 1, "y": [[1]]}, mask=(("x",),)), "array value in an array"),
        (Update("a/b", {"x": 1}, mask=(("__x__",),)), "reserved name"),
        (Update("a/b", {}, transforms=(ServerTime(("",)),)), "empty property path"),
        (Transforms("a/b", ()), "The list of FieldTransform must not be empty."),
        (Delete("a/__b__"), "reserved"),
    ],
)
def test_what_no_state_makes_right_is_refused_at_once(write, message) -> None:
    with pytest.raises(Refusal, match=message) as refused:
        check_write(write, ROOT)
    assert refused.value.status is Status.INVALID_ARGUMENT
