"""Field paths: .../docs/reference/rpc/google.firestore.v1#structuredquery.fieldreference."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud.firestore import DELETE_FIELD, CollectionReference
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.field_path import FieldPath

from tests.conformance.firestore.conftest import Raw

Things = CollectionReference
NAMES = ["a.b", "a b", "a-b", "`", "\\", "`.`", "1a", "\u00fc", "\U0001f680", "/", "a[0]", "~*"]


@pytest.mark.parametrize("name", NAMES)
def test_a_quoted_name_is_one_field(things: Things, name: str) -> None:
    document, path = things.document("a"), FieldPath(name).to_api_repr()
    document.set({name: 1, "m": {name: 2}, "a": {"b": 0}})
    document.update({path: 3, f"m.{path}": 4})
    assert document.get().to_dict() == {name: 3, "m": {name: 4}, "a": {"b": 0}}
    document.update({path: DELETE_FIELD})
    assert document.get().to_dict() == {"m": {name: 4}, "a": {"b": 0}}


@pytest.mark.parametrize("name", NAMES)
def test_a_quoted_name_is_queried(things: Things, name: str) -> None:
    things.document("a").set({"m": {name: 1}, "n": 2})
    things.document("b").set({"m": {name: 3}})
    path = FieldPath("m", name).to_api_repr()
    found = things.where(filter=FieldFilter(path, "==", 1)).select([path]).stream()
    assert [each.to_dict() for each in found] == [{"m": {name: 1}}]
    assert [each.id for each in things.order_by(path, direction="DESCENDING").stream()] == [
        "b",
        "a",
    ]


def test_a_dot_in_a_name_is_no_path(things: Things) -> None:
    things.document("a").set({"a.b": 1})
    things.document("b").set({"a": {"b": 1}})
    for path, expected in (("a.b", "b"), ("`a.b`", "a")):
        found = things.where(filter=FieldFilter(path, "==", 1)).stream()
        assert [each.id for each in found] == [expected]


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "`a", "a`", "``", "a.`b", "1 2", "a-b"]
)
def test_a_malformed_path_is_refused(raw: Raw, things: Things, path: str) -> None:
    write = {**raw.put(f"{things.id}/a"), "update_mask": {"field_paths": [path]}}
    with pytest.raises(InvalidArgument):
        raw.commit(write)


def test_a_masked_field_that_is_not_given_is_deleted(raw: Raw, things: Things) -> None:
    things.document("a").set({"a": 1, "b": {"c": 1, "d": 2}, "e": 3})
    write: dict[str, Any] = raw.put(f"{things.id}/a", {"e": {"integer_value": 9}})
    raw.commit({**write, "update_mask": {"field_paths": ["a", "b.c", "e", "none"]}})
    assert things.document("a").get().to_dict() == {"b": {"d": 2}, "e": 9}


def test_an_unmasked_field_is_ignored(raw: Raw, things: Things) -> None:
    things.document("a").set({"a": 1})
    write = raw.put(f"{things.id}/a", {"a": {"integer_value": 9}, "b": {"integer_value": 9}})
    raw.commit({**write, "update_mask": {"field_paths": ["b"]}})
    assert things.document("a").get().to_dict() == {"a": 1, "b": 9}


def test_names_are_compared_exactly(things: Things) -> None:
    things.document("a").set({"a": 1, "A": 2, "\u00e9": 3, "e\u0301": 4})
    assert things.document("a").get().to_dict() == {"a": 1, "A": 2, "\u00e9": 3, "e\u0301": 4}
