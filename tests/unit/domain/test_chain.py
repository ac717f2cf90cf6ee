"""How a run goes on: what is ready, skipped, refused or waiting after each finished step."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.chain import (
    Advance,
    Arrivals,
    StepStatus,
    advance,
    arrivals_at,
    fire,
    frontier,
    start,
)
from shared.domain.flow import END, Flow

OK, SKIPPED = StepStatus.SUCCEEDED, StepStatus.SKIPPED
NO = "false"
BROKEN = "missing.attribute"


def flow_of(needs: dict[str, list[str]], when: dict[str, str] | None = None) -> Flow:
    steps: dict[str, Any] = {
        name: {
            "action": "log.write",
            "with": {"message": "m"},
            "needs": needed,
            "when": (when or {}).get(name),
        }
        for name, needed in needs.items()
    }
    return Flow.model_validate({"flow": "f", "on": {"event": "t"}, "steps": steps})


CHAIN: dict[str, list[str]] = {"a": [], "b": ["a"], "c": ["b"]}
FAN: dict[str, list[str]] = {"a": [], "b": ["a"], "c": ["a"]}
DIAMOND: dict[str, list[str]] = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
ROOTS: dict[str, list[str]] = {"a": [], "b": [], "c": ["a", "b"]}
SHORTCUT: dict[str, list[str]] = {"a": [], "b": ["a"], "c": ["a", "b"]}


@pytest.mark.parametrize(
    ("needs", "when", "expected"),
    [
        (CHAIN, {}, Advance(ready=("a",))),
        (ROOTS, {}, Advance(ready=("a", "b"))),
        (CHAIN, {"a": NO}, Advance(skipped=("a", "b", "c"), ends=True)),
        ({"a": []}, {"a": NO}, Advance(skipped=("a",), ends=True)),
        (
            FAN,
            {"a": NO},
            Advance(skipped=("a", "b", "c"), arrivals={END: Arrivals(2, 0)}),
        ),
        (ROOTS, {"a": NO}, Advance(("b",), ("a",), arrivals={"c": Arrivals(1, 0)})),
        (ROOTS, {"a": NO, "b": NO}, Advance((), ("a", "b"), arrivals={"c": Arrivals(2, 0)})),
        (
            DIAMOND,
            {"a": NO},
            Advance(skipped=("a", "b", "c"), arrivals={"d": Arrivals(2, 0)}),
        ),
    ],
)
def test_a_run_begins_with_its_roots(
    needs: dict[str, list[str]], when: dict[str, str], expected: Advance
) -> None:
    assert start(flow_of(needs, when), {}) == expected


@pytest.mark.parametrize(
    ("needs", "when", "step", "expected"),
    [
        (CHAIN, {}, "a", Advance(ready=("b",))),
        (CHAIN, {}, "c", Advance(ends=True)),
        (FAN, {}, "a", Advance(ready=("b", "c"))),
        (FAN, {}, "b", Advance(arrivals={END: Arrivals(1, 1)})),
        (FAN, {"b": NO}, "a", Advance(("c",), ("b",), arrivals={END: Arrivals(1, 0)})),
        (DIAMOND, {}, "b", Advance(arrivals={"d": Arrivals(1, 1)})),
        (DIAMOND, {"b": NO}, "a", Advance(("c",), ("b",), arrivals={"d": Arrivals(1, 0)})),
        (SHORTCUT, {}, "a", Advance(("b",), arrivals={"c": Arrivals(1, 1)})),
        (SHORTCUT, {"b": NO}, "a", Advance((), ("b",), arrivals={"c": Arrivals(2, 1)})),
        (CHAIN, {"b": NO}, "a", Advance(skipped=("b", "c"), ends=True)),
    ],
)
def test_a_finished_step_lets_its_successors_go(
    needs: dict[str, list[str]], when: dict[str, str], step: str, expected: Advance
) -> None:
    assert advance(flow_of(needs, when), step, OK, {}) == expected


@pytest.mark.parametrize(
    ("when", "arrivals", "expected"),
    [
        ({}, Arrivals(2, 2), Advance(ready=("d",))),
        ({}, Arrivals(2, 1), Advance(ready=("d",))),
        ({}, Arrivals(2, 0), Advance(skipped=("d",), ends=True)),
        ({"d": NO}, Arrivals(2, 2), Advance(skipped=("d",), ends=True)),
    ],
)
def test_a_join_goes_ahead_unless_all_its_branches_were_skipped(
    when: dict[str, str], arrivals: Arrivals, expected: Advance
) -> None:
    assert fire(flow_of(DIAMOND, when), "d", arrivals, {}) == expected


def test_a_skipped_join_skips_on_to_the_next_join() -> None:
    flow = flow_of({"a": [], "b": [], "c": ["a", "b"], "d": ["c"], "e": [], "f": ["d", "e"]})
    assert fire(flow, "c", Arrivals(2, 0), {}) == Advance(
        skipped=("c", "d"), arrivals={"f": Arrivals(1, 0)}
    )


def test_a_condition_that_fails_refuses_its_step_and_no_other() -> None:
    plan = advance(flow_of(FAN, {"b": BROKEN}), "a", OK, {})
    assert plan.ready == ("c",)
    assert plan.skipped == ()
    assert list(plan.refused) == ["b"]
    assert "`missing.attribute` failed" in plan.refused["b"]
    assert plan.arrivals == {}


def test_a_refused_root_is_told_at_the_start() -> None:
    assert list(start(flow_of(CHAIN, {"a": BROKEN}), {}).refused) == ["a"]


def test_a_condition_sees_the_variables() -> None:
    flow = flow_of(CHAIN, {"b": "a.score > 0.5"})
    assert advance(flow, "a", OK, {"a": {"score": 0.6}}).ready == ("b",)
    assert advance(flow, "a", OK, {"a": {"score": 0.4}}).skipped == ("b", "c")


def test_the_same_question_has_the_same_answer() -> None:
    flow = flow_of(DIAMOND, {"c": NO})
    assert advance(flow, "a", OK, {}) == advance(flow, "a", OK, {})


@pytest.mark.parametrize(
    ("needs", "statuses", "expected"),
    [
        (CHAIN, {}, ("a",)),
        (CHAIN, {"a": OK}, ("b",)),
        (CHAIN, {"a": OK, "b": StepStatus.FAILED}, ("b",)),
        (CHAIN, {"a": OK, "b": StepStatus.PENDING}, ("b",)),
        (CHAIN, {"a": OK, "b": StepStatus.RUNNING}, ("b",)),
        (CHAIN, {"a": OK, "b": OK, "c": OK}, ()),
        (CHAIN, {"a": SKIPPED, "b": SKIPPED, "c": SKIPPED}, ()),
        (DIAMOND, {"a": OK}, ("b", "c")),
        (DIAMOND, {"a": OK, "b": OK}, ("c",)),
        (DIAMOND, {"a": OK, "b": SKIPPED, "c": OK}, ("d",)),
        (DIAMOND, {"a": OK, "b": StepStatus.FAILED, "c": OK}, ("b",)),
        (ROOTS, {"a": StepStatus.CANCELLED}, ("a", "b")),
        (ROOTS, {"a": SKIPPED, "b": SKIPPED}, ("c",)),
    ],
)
def test_the_frontier_is_what_may_be_under_way(
    needs: dict[str, list[str]], statuses: dict[str, StepStatus], expected: tuple[str, ...]
) -> None:
    assert frontier(flow_of(needs), statuses) == expected


@pytest.mark.parametrize(
    ("step", "statuses", "expected"),
    [
        ("a", {}, Arrivals(1, 1)),
        ("b", {"a": OK}, Arrivals(1, 1)),
        ("b", {"a": SKIPPED}, Arrivals(1, 0)),
        ("d", {"b": OK, "c": SKIPPED}, Arrivals(2, 1)),
        ("d", {"b": SKIPPED, "c": SKIPPED}, Arrivals(2, 0)),
    ],
)
def test_what_has_reached_a_step_follows_from_what_is_recorded(
    step: str, statuses: dict[str, StepStatus], expected: Arrivals
) -> None:
    assert arrivals_at(flow_of(DIAMOND), step, statuses) == expected


@pytest.mark.parametrize("status", list(StepStatus))
def test_final_is_what_no_longer_changes(status: StepStatus) -> None:
    assert status.is_final is (status.value in {"succeeded", "skipped", "failed", "cancelled"})
