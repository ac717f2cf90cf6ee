"""Ids: derived, stable across deployments, readable where that is safe, never shared by two."""

from __future__ import annotations

import pytest

from shared.domain import ids


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "bc"), ("ab", "c")),
        (("a\x1f", "b"), ("a", "\x1fb")),
        (("", ""), ("\x1f",)),
        (("", "", ""), ("\x1f\x1f",)),
        (("\x1e",), ("\x1e0",)),
        (("\x1e1",), ("\x1f",)),
        (("a", ""), ("a",)),
    ],
)
def test_parts_cannot_run_into_each_other(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert ids.digest(*one) != ids.digest(*other)


@pytest.mark.parametrize(
    ("derived", "known"),
    [
        (ids.run_id("support-reply", "evt-1"), "support-reply-"),
        (ids.message_id("r", "s", "compose"), ""),
        (ids.effect_key("r", "s"), ""),
        (ids.trace_id("c"), ""),
    ],
)
def test_derived_ids_are_lower_case_hex_behind_their_name(derived: str, known: str) -> None:
    tail = derived.removeprefix(known)
    assert tail
    assert set(tail) <= set("0123456789abcdef")


def test_ids_do_not_change_between_releases() -> None:
    """Records and messages of a running system are found by them."""
    assert ids.run_id("joke", "evt-1") == "joke-b162eb6feeadd0b4"
    assert ids.message_id("run", "step", "act") == "e88dab4cda7ea78a8e9ce3f5"
    assert ids.effect_key("run", "step") == "dbfbb6c2c8428490ca3a78ed53ce6bb7"
    assert ids.event_key("//shop", "42") == "42~0b56197fb1"


def test_kinds_of_ids_do_not_meet() -> None:
    made = [
        ids.digest("run", "s", length=32),
        ids.effect_key("run", "s"),
        ids.trace_id("run"),
        ids.correlation_id("run"),
        ids.dead_letter_id("run", "s", 0),
        ids.message_id("run", "s", "0"),
    ]
    assert len({text[:24] for text in made}) == len(made)


@pytest.mark.parametrize("event_id", ["42", "order.1", "A-b_c", "a:b@c+d=e", "x" * 200])
def test_an_event_without_a_source_is_known_by_its_readable_id(event_id: str) -> None:
    assert ids.event_key(ids.UNNAMED_SOURCE, event_id) == event_id


@pytest.mark.parametrize(
    "event_id", ["a/b", "..", ".", "__x__", "a b", "ü", "x" * 201, "a~b", "-a", "a\n", "\U0001f600"]
)
def test_an_id_unfit_for_a_document_name_is_hashed(event_id: str) -> None:
    key = ids.event_key(ids.UNNAMED_SOURCE, event_id)
    assert event_id not in key
    assert set(key) <= set("0123456789abcdef~")


def test_the_same_id_from_different_sources_is_different_events() -> None:
    keys = {ids.event_key(source, "1") for source in (ids.UNNAMED_SOURCE, "//a", "//b", "1")}
    assert len(keys) == 4


def test_an_unsourced_id_cannot_pose_as_a_sourced_one() -> None:
    sourced = ids.event_key("//a", "1")
    assert ids.event_key(ids.UNNAMED_SOURCE, sourced) != sourced


def test_a_letter_that_failed_again_after_a_redrive_is_a_new_one() -> None:
    assert ids.dead_letter_id("act", "m", 0) != ids.dead_letter_id("act", "m", 1)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": "1"}, {"a": 1}, False),
        ({"a": None}, {}, False),
        ("ü", "ü", True),
    ],
)
def test_equal_content_has_one_hash(one: object, other: object, *, equal: bool) -> None:
    assert (ids.content_hash(one) == ids.content_hash(other)) is equal
