"""What the simulator finds wrong with children, by records alone."""

from __future__ import annotations

from typing import Any

import pytest

from shared.testing.simulator.laws.child import broken_return, lineage, orphan

STEP: dict[str, Any] = {
    "status": "succeeded",
    "output": '{"n": 1}',
    "error": None,
    "child": {"run_id": "kid-1", "nth": 1},
}
CALL = STEP | {"step": "help[turn-1.call-0]"}
TOLD = '{"error": {"code": "ChildFailed", "message": "it has failed"}}'
PARENT = {"run_id": "top", "step": "kid"}


def child(status: str, outputs: str = "null", parent: object = PARENT) -> dict[str, Any]:
    return {"runs/kid-1": {"status": status, "outputs": outputs, "parent": parent}}


@pytest.mark.parametrize(
    ("step", "documents", "is_broken"),
    [
        (STEP, child("succeeded", '{"n": 1}'), False),
        (STEP, child("succeeded", '{"n": 2}'), True),
        (STEP, child("running"), True),
        (STEP | {"fallback": True}, child("failed"), False),
        (STEP | {"output": '{"run_id": "kid-1"}'}, child("running", parent=None), False),
        (STEP | {"output": '{"run_id": "kid-1"}'}, {}, False),
        (STEP | {"status": "failed", "error": {"code": "ChildFailed"}}, child("failed"), False),
        (STEP | {"status": "failed", "error": {"code": "ChildFailed"}}, child("succeeded"), True),
        (STEP | {"status": "failed", "error": {"code": "StepTimeout"}}, child("running"), False),
        (STEP | {"status": "waiting"}, child("running"), False),
        (STEP | {"child": None}, {}, False),
        (CALL, child("succeeded", '{"n": 1}'), False),
        (CALL, child("succeeded", '{"n": 2}'), True),
        (CALL, child("running"), True),
        (CALL | {"output": TOLD}, child("failed"), False),
        (CALL | {"output": TOLD}, {}, False),
        (CALL | {"output": TOLD}, child("succeeded", '{"n": 1}'), True),
    ],
)
def test_a_step_ends_as_its_child_has(
    step: dict[str, Any], documents: dict[str, Any], *, is_broken: bool
) -> None:
    assert (broken_return(documents, step) is not None) == is_broken


@pytest.mark.parametrize(
    ("steps", "is_broken"),
    [
        ({"runs/top/steps/kid": STEP}, False),
        ({"runs/top/steps/kid": STEP | {"child": {"run_id": "other", "nth": 1}}}, True),
        ({"runs/top/steps/kid": STEP | {"child": {"run_id": "other", "nth": 2}}}, False),
        ({}, True),
    ],
)
def test_a_child_is_one_that_its_step_has_opened(steps: dict[str, Any], *, is_broken: bool) -> None:
    assert (orphan(steps, "kid-1", {"parent": PARENT}) is not None) == is_broken
    assert orphan(steps, "kid-1", {"parent": None}) is None


def test_a_child_goes_by_its_place_and_one_that_was_replaced_by_none() -> None:
    runs = {
        "top": {"parent": None},
        "kid-1": {"parent": PARENT},
        "leaf": {"parent": {"run_id": "kid-1", "step": "a[2]"}},
        "late": {"parent": PARENT},
    }
    steps = {
        "runs/top/steps/kid": STEP,
        "runs/kid-1/steps/a[2]": {"child": {"run_id": "leaf", "nth": 1}},
    }
    places = {name: lineage(name, runs, steps) for name in runs}
    assert places == {"top": "top", "kid-1": "top/kid", "leaf": "top/kid/a[2]", "late": None}
