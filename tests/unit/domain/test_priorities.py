"""Priorities: what a flow may say, what messages carry, and what each subscription gets."""

from __future__ import annotations

import pytest

from shared.domain.starts.priorities import (
    NORMAL,
    PRIORITY,
    attribute_of,
    carried_priority,
    filters,
)

VIP = "'high' if event.data.vip else 'low'"


@pytest.mark.parametrize(
    ("declared", "vip", "expected"),
    [
        ("high", True, "high"),
        ("normal", True, "normal"),
        ("'low'", True, "low"),
        (VIP, True, "high"),
        (VIP, False, "low"),
    ],
)
def test_a_flow_says_one_or_an_expression_does(declared: str, expected: str, *, vip: bool) -> None:
    assert attribute_of(declared, {"data": {"vip": vip}}) == ({PRIORITY: expected}, None)


def test_a_flow_that_says_nothing_leaves_it_to_the_publisher() -> None:
    assert attribute_of(None, {}) == ({}, None)


@pytest.mark.parametrize("declared", ["event.data.missing.deeper", "'urgent'", "1", "[]", "event"])
def test_what_gives_none_is_normal_and_told(declared: str) -> None:
    said, trouble = attribute_of(declared, {"data": {}})
    assert said == {PRIORITY: NORMAL}
    assert trouble is not None
    assert declared in trouble


@pytest.mark.parametrize(
    ("attributes", "carried"),
    [
        ({PRIORITY: "high", "x": "y"}, {PRIORITY: "high"}),
        ({PRIORITY: "low"}, {PRIORITY: "low"}),
        ({PRIORITY: "normal"}, {}),
        ({PRIORITY: "HIGH"}, {}),
        ({}, {}),
    ],
)
def test_only_what_is_not_normal_is_carried(
    attributes: dict[str, str], carried: dict[str, str]
) -> None:
    assert carried_priority(attributes) == carried


def test_the_filter_of_the_stage_holds_for_each() -> None:
    own = "attributes:tenant OR attributes:x"
    assert filters(own) == {name: f"({own}) AND {alone}" for name, alone in filters(None).items()}
