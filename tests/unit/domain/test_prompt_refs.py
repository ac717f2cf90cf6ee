"""How prompts are named, and which names the registry takes."""

from __future__ import annotations

import pytest

from shared.domain.prompts.refs import PromptRef, document_id, is_label, is_name

HASH = "0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "name", "at", "number", "is_exact"),
    [
        ("support/classify", "support/classify", "production", None, False),
        ("support/classify@production", "support/classify", "production", None, False),
        ("support/classify@staging", "support/classify", "staging", None, False),
        ("joke@3", "joke", "3", 3, True),
        (f"joke@{HASH}", "joke", HASH, None, True),
        ("joke@0123456789123456", "joke", "0123456789123456", None, True),
        ("joke@feed", "joke", "feed", None, False),
    ],
)
def test_a_reference_says_which_version(
    text: str, name: str, at: str, number: int | None, *, is_exact: bool
) -> None:
    ref = PromptRef.read(text)
    assert (ref.name, ref.at, ref.number, ref.is_exact) == (name, at, number, is_exact)
    assert PromptRef.read(str(ref)) == ref


@pytest.mark.parametrize("text", ["joke@", "joke@Staging", "joke@0", "joke@a b", "joke@a@b"])
def test_what_names_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no label, number or hash"):
        PromptRef.read(text)


def test_a_label_is_not_to_be_mistaken_for_a_version() -> None:
    assert [
        label for label in ("production", "a", "3", HASH, "abcdefabcdefabcd") if is_label(label)
    ] == [
        "production",
        "a",
    ]


def test_different_names_are_different_documents() -> None:
    names = ["a/b", "a.b", "a-b", "a/b/c", "a"]
    assert all(is_name(name) for name in names)
    assert len({document_id(name) for name in names}) == len(names)
    assert not any("/" in document_id(name) for name in names)
    assert not any(is_name(name) for name in ("", "a//b", "/a", "a/", "..", "a:b", "a@b", "__a__"))
