"""Which paths and field paths are allowed, and how the refusals read."""

from __future__ import annotations

import pytest

from emulator.embedded.firestore.paths import (
    check_collection_id,
    check_document_path,
    check_field_path,
    collection_id,
    collection_of,
    format_field_path,
    is_below,
    parse_field_path,
)
from emulator.embedded.refusal import Refusal, Status

ROOT = "projects/p/databases/d/documents/"
AT = len(ROOT)
LARGE = 'Resource id "__id9223372036854775808__" is invalid because it is not a 64 bit integer.'


@pytest.mark.parametrize(
    "path",
    [
        "a/b",
        "a/b/c/d",
        "a/__id5__",
        "a/__id-5__",
        "a/__",
        "a/___",
        "a/b\x00c",
        "a/" + "x" * 1500,
        "a/...",
        "/".join("y" for _ in range(200)),
    ],
)
def test_these_are_document_paths(path) -> None:
    check_document_path(path, ROOT)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a", f'Document name "{ROOT}a" lacks "/" at index {AT + 1}.'),
        ("a/b/c", f'Document name "{ROOT}a/b/c" lacks "/" at index {AT + 5}.'),
        ("a/", f'Document name "{ROOT}a/" has invalid trailing "/".'),
        ("//", f'Document name "{ROOT}//" lacks a collection id at index {AT}.'),
        ("a//b/c", f'Document name "{ROOT}a//b/c" lacks a resource id at index {AT + 2}.'),
        ("a/.", f'Document name "{ROOT}a/." contains a resource id "." at index {AT + 2}.'),
        ("../b", f'Document name "{ROOT}../b" contains a collection id ".." at index {AT}.'),
        ("a/__b__", 'Resource id "__b__" is invalid because it is reserved.'),
        ("a/____", 'Resource id "____" is invalid because it is reserved.'),
        ("a/__id05__", 'Resource id "__id05__" is invalid because it is reserved.'),
        ("a/__id0__", 'Resource id "__id0__" is invalid because it is reserved.'),
        ("__id5__/b", 'Collection id "__id5__" is invalid because it is reserved.'),
        (
            "a/__id9223372036854775808__",
            LARGE,
        ),
        ("a/" + "x" * 1501, "The key path element name is longer than 1500 bytes."),
        ("a/" + "é" * 751, "The key path element name is longer than 1500 bytes."),
        ("/".join("y" * 1100 for _ in range(6)), "Document name is longer than 6144 bytes."),
        ("/".join("y" for _ in range(202)), "Key path is too long. Cannot exceed 100 elements."),
    ],
)
def test_what_is_no_document_path_is_refused_in_the_words_of_the_service(path, message) -> None:
    with pytest.raises(Refusal) as refused:
        check_document_path(path, ROOT)
    assert (refused.value.status, refused.value.message) == (Status.INVALID_ARGUMENT, message)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "__a__", "__id5__", "x" * 1501])
def test_no_collection_can_be_called_that(name) -> None:
    with pytest.raises(Refusal):
        check_collection_id(name)


def test_a_path_tells_its_collection() -> None:
    assert (collection_of("a/b/c/d"), collection_id("a/b/c/d")) == ("a/b/c", "c")
    assert is_below("a/b/c/d", "a/b")
    assert is_below("a/b", "")
    assert not is_below("a/bc/c/d", "a/b")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("_a1.B", ("_a1", "B")),
        ("a.`b.c`", ("a", "b.c")),
        ("`1`.`é`", ("1", "é")),
        (r"`a\`b\\c`", ("a`b\\c",)),
        (r"`a\n\t`", ("a\n\t",)),
        ("__name__", ("__name__",)),
    ],
)
def test_a_field_path_is_names_with_periods_between(text, path) -> None:
    assert parse_field_path(text) == path


@pytest.mark.parametrize(
    "text", ["a b", "a..b", ".a", "a.", "`a", "``", "1a", "é", "a`b`", r"`a\q`", "`a``b`", "a\n"]
)
def test_a_name_that_is_not_simple_must_be_quoted(text) -> None:
    with pytest.raises(Refusal, match="Invalid property path") as refused:
        parse_field_path(text)
    assert refused.value.status is Status.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid empty property path string."),
        ("a" * 1501, "property path is longer than 1500 bytes."),
        ("a" * 1000 + "." + "b" * 1000, "property path is longer than 1500 bytes."),
        ("__x__", "Invalid reserved name in field path __x__"),
        ("a.__x__", "Invalid reserved name in field path __x__"),
        ("__name__.a", "Invalid reserved name in field path __name__"),
    ],
)
def test_some_field_paths_are_refused(text, message) -> None:
    with pytest.raises(Refusal) as refused:
        parse_field_path(text)
    assert refused.value.message == message


@pytest.mark.parametrize("path", [(), ("",), ("a", ""), ("é" * 751,)])
def test_a_path_of_names_is_checked_too(path) -> None:
    with pytest.raises(Refusal):
        check_field_path(path)


def test_names_are_quoted_where_they_must_be() -> None:
    assert format_field_path(("a", "b.c", "1", "`\\")) == r"a.`b.c`.`1`.`\`\\`"
