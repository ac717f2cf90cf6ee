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
    is_decided,
    is_over,
    start,
)
from shared.domain.flow import END, Flow

OK, SKIPPED = StepStatus.SUCCEEDED, StepStatus.SKIPPED
NO = "false"
BROKEN = "missing.attribute"


def flow_of(
    needs: dict[str, list[str]], when: dict[str, str] | None = None, **more: dict[str, Any]
) -> Flow:
    """`more` is what steps declare beside that, by name."""
    steps: dict[str, Any] = {
        name: {
            "action": "log.write",
            "with": {"message": "m"},
            "needs": needed,
            "when": (when or {}).get(name),
            **more.get(name, {}),
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
        (CHAIN, {"a": OK, "b": StepStatus.FAILED}, ("c",)),  # the flow provides for it
        (CHAIN, {"a": OK, "b": StepStatus.PENDING}, ("b",)),
        (CHAIN, {"a": OK, "b": StepStatus.RUNNING}, ("b",)),
        (CHAIN, {"a": OK, "b": OK, "c": OK}, ()),
        (CHAIN, {"a": SKIPPED, "b": SKIPPED, "c": SKIPPED}, ()),
        (DIAMOND, {"a": OK}, ("b", "c")),
        (DIAMOND, {"a": OK, "b": OK}, ("c",)),
        (DIAMOND, {"a": OK, "b": SKIPPED, "c": OK}, ("d",)),
        (DIAMOND, {"a": OK, "b": StepStatus.PENDING, "c": OK}, ("b",)),
        (DIAMOND, {"a": OK, "b": StepStatus.FAILED, "c": OK}, ("d",)),
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


# -- quorums, handled failures, early ends --------------------------------------------------------

FAILED = StepStatus.FAILED
FOUR: dict[str, list[str]] = {"a": [], "b": [], "c": [], "d": ["a", "b", "c"], "e": ["d"]}
GOTO: dict[str, list[str]] = {"a": [], "b": ["a"], "sorry": [], "end": ["b", "sorry"]}


def quorum_of(join: Any) -> Flow:
    return flow_of(FOUR, d={"join": join})


@pytest.mark.parametrize(
    ("join", "total", "new", "decided"),
    [
        ("all", Arrivals(2, 2), Arrivals(1, 1), False),
        ("all", Arrivals(3, 0), Arrivals(1, 0), True),
        ("all", Arrivals(3, 2), Arrivals(2, 1), True),
        ("any", Arrivals(1, 0), Arrivals(1, 0), False),
        ("any", Arrivals(1, 1), Arrivals(1, 1), True),
        ("any", Arrivals(2, 1), Arrivals(1, 0), False),  # a later arrival changes nothing
        ("any", Arrivals(3, 2), Arrivals(1, 1), False),
        ("any", Arrivals(3, 2), Arrivals(2, 2), True),
        ("any", Arrivals(3, 0), Arrivals(1, 0), True),  # skipped: nobody is left to succeed
        ({"n": 2}, Arrivals(2, 1), Arrivals(1, 1), False),
        ({"n": 2}, Arrivals(2, 2), Arrivals(1, 1), True),
        ({"n": 2}, Arrivals(3, 3), Arrivals(1, 1), False),
        ({"n": 2}, Arrivals(3, 3), Arrivals(2, 2), True),
        ({"n": 2}, Arrivals(3, 1), Arrivals(1, 0), True),
        ({"n": 2}, Arrivals(3, 2), Arrivals(1, 0), False),
        # A repetition cannot know who decided.
        ("all", Arrivals(2, 2), None, False),
        ("all", Arrivals(3, 2), None, True),
        ("any", Arrivals(2, 1), None, True),
        ({"n": 2}, Arrivals(2, 1), None, False),
        ({"n": 2}, Arrivals(3, 3), None, True),
    ],
)
def test_one_commit_decides_a_join(
    join: Any, total: Arrivals, new: Arrivals | None, *, decided: bool
) -> None:
    assert is_decided(quorum_of(join), "d", total, new) is decided


@pytest.mark.parametrize(
    ("join", "arrivals", "ready"),
    [
        ("any", Arrivals(1, 1), True),
        ("any", Arrivals(3, 0), False),
        ({"n": 2}, Arrivals(2, 2), True),
        ({"n": 2}, Arrivals(3, 1), False),
    ],
)
def test_a_join_with_too_few_successes_is_skipped(
    join: Any, arrivals: Arrivals, *, ready: bool
) -> None:
    plan = fire(quorum_of(join), "d", arrivals, {})
    expected = Advance(ready=("d",)) if ready else Advance(skipped=("d", "e"), ends=True)
    assert plan == expected


@pytest.mark.parametrize(
    ("join", "statuses", "expected"),
    [
        ("any", {"a": OK}, ("b", "c", "d")),
        ("any", {"a": FAILED}, ("b", "c")),
        ("any", {"a": FAILED, "b": SKIPPED, "c": SKIPPED}, ("d",)),
        ({"n": 2}, {"a": OK, "c": OK}, ("b", "d")),
        ({"n": 2}, {"a": OK, "c": OK, "d": OK}, ("b", "e")),
    ],
)
def test_a_quorum_is_in_turn_before_all_have_arrived(
    join: Any, statuses: dict[str, StepStatus], expected: tuple[str, ...]
) -> None:
    assert frontier(quorum_of(join), statuses) == expected


def test_a_failure_that_is_provided_for_skips_on_or_goes_elsewhere() -> None:
    flow = flow_of(GOTO, a={"on_error": {"goto": "sorry"}})
    assert start(flow, {}) == Advance(ready=("a",))
    assert advance(flow, "a", OK, {}) == Advance(
        ready=("b",), skipped=("sorry",), arrivals={"end": Arrivals(1, 0)}
    )
    assert advance(flow, "a", FAILED, {}) == Advance(
        ready=("sorry",), skipped=("b",), arrivals={"end": Arrivals(1, 0)}
    )
    assert advance(flow, "a", SKIPPED, {}) == Advance(
        skipped=("b", "sorry"), arrivals={"end": Arrivals(2, 0)}
    )
    assert frontier(flow, {"a": FAILED, "b": SKIPPED}) == ("sorry",)
    assert arrivals_at(flow, "sorry", {"a": FAILED}) == Arrivals(1, 1)
    assert arrivals_at(flow, "sorry", {"a": OK}) == Arrivals(1, 0)


def test_after_a_failure_that_is_provided_for_others_run_where_something_else_succeeded() -> None:
    flow = flow_of(ROOTS, a={"on_error": "continue"})
    assert advance(flow, "a", FAILED, {}) == Advance(arrivals={"c": Arrivals(1, 0)})
    assert fire(flow, "c", Arrivals(2, 1), {}).ready == ("c",)
    assert fire(flow, "c", Arrivals(2, 0), {}).skipped == ("c",)


def test_a_step_may_go_to_what_lies_behind_its_successor() -> None:
    flow = flow_of({"a": [], "b": ["a"], "c": ["b"]}, a={"on_error": {"goto": "c"}})
    assert advance(flow, "a", FAILED, {}) == Advance(skipped=("b",), arrivals={"c": Arrivals(2, 1)})
    assert advance(flow, "a", OK, {}) == Advance(ready=("b",), arrivals={"c": Arrivals(1, 0)})


def test_a_step_that_finishes_the_run_ends_it_where_it_succeeds() -> None:
    flow = flow_of({"a": [], "b": []}, a={"finish": True})
    assert advance(flow, "a", OK, {}) == Advance(ends=True)
    assert advance(flow, "a", SKIPPED, {}) == Advance(arrivals={END: Arrivals(1, 0)})


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ({}, False),
        ({"a": OK}, True),
        ({"a": SKIPPED}, False),
        ({"a": FAILED, "b": OK}, True),
        ({"a": SKIPPED, "b": SKIPPED}, True),
        ({"a": StepStatus.RUNNING, "b": OK}, False),
    ],
)
def test_a_run_is_over_when_it_was_finished_or_all_its_leaves_have_ended(
    statuses: dict[str, StepStatus], *, expected: bool
) -> None:
    assert is_over(flow_of({"a": [], "b": []}, a={"finish": True}), statuses) is expected


@pytest.mark.parametrize("status", list(StepStatus))
def test_final_is_what_no_longer_changes(status: StepStatus) -> None:
    assert status.is_final is (status.value in {"succeeded", "skipped", "failed", "cancelled"})
