"""In which order the items of a map are sent, and how many of them may fail."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.foreach import ForEach
from shared.domain.instances import Instance, instance_of
from shared.domain.mapped import Mapped
from shared.domain.step import CallStep


@pytest.mark.parametrize(
    ("name", "instance"),
    [
        ("draft", Instance("draft")),
        ("draft[0]", Instance("draft", 0)),
        ("draft[9999]", Instance("draft", 9999)),
        ("draft[]", Instance("draft[]")),
        ("draft[01]", Instance("draft[01]")),
        ("draft[-1]", Instance("draft[-1]")),
        ("draft[1][2]", Instance("draft[1][2]")),
    ],
)
def test_an_instance_is_known_by_its_name(name: str, instance: Instance) -> None:
    assert instance_of(name) == instance
    assert str(instance) == name


@pytest.mark.parametrize(
    ("mapped", "first", "after"),
    [
        (Mapped(size=5), [0, 1], {0: 2, 1: 3, 2: 4, 3: None, 4: None}),
        (Mapped(size=1), [0], {0: None}),
        (Mapped(size=9, rest=[1, 4, 7, 8]), [1, 4], {1: 7, 4: 8, 7: None, 8: None, 2: None}),
        (Mapped(size=9, rest=[]), [], {0: None}),
    ],
)
def test_each_item_is_followed_by_the_one_a_stride_away(
    mapped: Mapped, first: list[int], after: dict[int, int | None]
) -> None:
    assert mapped.first(2) == first
    assert {index: mapped.after(index, 2) for index in after} == after


@pytest.mark.parametrize(
    ("tolerate", "size", "tolerated"),
    [(0, 10, 0), (3, 10, 3), ("10%", 10, 1), ("10%", 19, 1), ("33.3%", 10, 3), ("100%", 7, 7)],
)
def test_a_share_is_of_whole_items(tolerate: Any, size: int, tolerated: int) -> None:
    foreach = ForEach.model_validate({"in": "x", "tolerate": tolerate})
    assert foreach.tolerated(size) == tolerated


@pytest.mark.parametrize(
    "foreach",
    [
        {"in": "x", "tolerate": "101%"},
        {"in": "x", "tolerate": -1},
        {"in": "x", "tolerate": "many"},
        {"in": "x", "max_parallel": 0},
        {"in": "x", "max_parallel": 1001},
        {"max_parallel": 3},
        {"in": "x", "parallel": 3},
        ["a", "b"],
        3,
    ],
)
def test_a_map_that_makes_no_sense_is_refused(foreach: Any) -> None:
    with pytest.raises(ValidationError):
        CallStep.model_validate({"call": "x.y", "foreach": foreach})


def test_an_expression_alone_is_a_map_over_it() -> None:
    step = CallStep.model_validate({"call": "x.y", "foreach": "event.data"})
    assert step == CallStep.model_validate({"call": "x.y", "foreach": {"in": "event.data"}})
    again = step.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert again == {"call": "x.y", "foreach": {"in": "event.data"}}
    assert CallStep.model_validate(again) == step
