"""Flow files as objects: what they may say, and the graph that follows."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.flow import END, RESERVED, Flow

STEP: dict[str, Any] = {"action": "log.write", "with": {"message": "m"}}


def flow_of(steps: dict[str, Any], **more: Any) -> Flow:
    return Flow.model_validate({"flow": "f", "on": {"event": "t"}, "steps": steps, **more})


@pytest.fixture
def diamond() -> Flow:
    return flow_of(
        {
            "a": STEP,
            "b": {**STEP, "needs": "a"},
            "c": {"prompt": "p", "needs": ["a"]},
            "d": {"call": "x.y", "needs": ["b", "c"]},
            "e": STEP,
        }
    )


def test_the_graph_follows_from_needs(diamond: Flow) -> None:
    assert diamond.roots == ("a", "e")
    assert diamond.leaves == ("d", "e")
    assert diamond.successors == {"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": (), "e": ()}
    assert diamond.ancestors("d") == {"a", "b", "c"}
    assert diamond.ancestors("a") == frozenset()
    assert diamond.later("b") == {"b", "d"}
    assert [diamond.width(step) for step in ("a", "b", "d", END)] == [0, 1, 2, 2]
    assert [step for step in diamond.steps if diamond.is_join(step)] == ["d"]


def test_the_end_comes_after_everything(diamond: Flow) -> None:
    assert diamond.ancestors(END) == frozenset(diamond.steps)
    assert diamond.later(END) == frozenset()


@pytest.mark.parametrize(
    ("step", "stage"), [("a", "act"), ("c", "compose"), ("d", "act"), ("e", "act")]
)
def test_the_kind_of_a_step_decides_its_stage(diamond: Flow, step: str, stage: str) -> None:
    assert diamond.stage(step) == stage


def test_references_are_those_of_condition_and_arguments() -> None:
    flow = flow_of({"a": {**STEP, "when": "x.y > 1", "with": {"message": ["{{ z }}", "{{ x }}"]}}})
    assert flow.references("a") == {"x", "z"}


@pytest.mark.parametrize(
    ("pattern", "event_type", "taken"),
    [
        ("order.paid", "order.paid", True),
        ("order.*", "order.paid.late", True),
        ("*", "anything", True),
        ("order.*", "orders.paid", False),
        ("order.paid", "Order.paid", False),
    ],
)
def test_a_trigger_takes_types_by_pattern(pattern: str, event_type: str, *, taken: bool) -> None:
    flow = flow_of({"a": STEP}, on={"event": pattern})
    assert flow.on.takes(event_type) is taken


@pytest.mark.parametrize(
    "steps",
    [
        {"a": {}},
        {"a": {"prompt": "p", "action": "log.write"}},
        {"a": {"prompt": "p", "call": "c", "action": "x"}},
        {"a": "log.write"},
        {"a": None},
    ],
)
def test_a_step_has_exactly_one_kind(steps: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of: prompt, action, call"):
        flow_of(steps)


@pytest.mark.parametrize(
    "name",
    [*sorted(RESERVED), "in", "if", "class", "A", "1a", "a-b", "a.b", "_a", "", "ä", "x" * 64],
)
def test_a_step_name_must_work_in_expressions(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be used in expressions"):
        flow_of({name: STEP})


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"on": {"event": "t", "were": "x"}},
        {"steps": {"a": {**STEP, "need": "b"}}},
        {"steps": {"a": {"action": "log.write", "arguments": {}}}},
        {"steps": {}},
        {"flow": "Bad Name"},
        {"flow": "x" * 64},
        {"timeout": "soon"},
        {"steps": {"a": {**STEP, "timeout": "0s"}}},
        {"on": "t"},
    ],
)
def test_what_a_flow_cannot_say_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Flow.model_validate({"flow": "f", "on": {"event": "t"}, "steps": {"a": STEP}, **change})


def test_durations_and_single_needs_are_read_as_people_write_them() -> None:
    flow = flow_of({"a": STEP, "b": {**STEP, "needs": "a", "timeout": "90s"}}, timeout="10m")
    assert (flow.timeout, flow.steps["b"].timeout) == (600.0, 90.0)
    assert flow.steps["b"].needs == ("a",)
