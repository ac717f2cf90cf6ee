"""What stands in the way of a run that is to go on with another version of its flow."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.chain import StepStatus
from shared.domain.flow import Flow
from shared.domain.moving import obstacles

OK, RUNNING, FAILED = StepStatus.SUCCEEDED, StepStatus.RUNNING, StepStatus.FAILED
LOG = {"action": "log.write", "with": {"message": "m"}}
CHAIN: dict[str, Any] = {"a": {}, "b": {"needs": "a"}, "c": {"needs": "b"}}


def flow_of(steps: dict[str, Any]) -> Flow:
    declared = {
        name: step if "call" in step or "prompt" in step else {**LOG, **step}
        for name, step in steps.items()
    }
    return Flow.model_validate({"flow": "f", "on": {"event": "t"}, "steps": declared})


def moved(after: dict[str, Any], steps: dict[str, StepStatus]) -> tuple[str, ...]:
    return obstacles(flow_of(CHAIN), flow_of(after), steps)


@pytest.mark.parametrize(
    ("after", "steps"),
    [
        (CHAIN, {}),
        (CHAIN, {"a": OK, "b": RUNNING}),
        # What is far enough ahead may be anything.
        ({"a": {}, "b": {"needs": "a"}}, {"a": RUNNING}),
        ({"a": {}, "b": {"needs": "a"}, "d": {"needs": "b", "call": "x"}}, {"a": OK}),
        # What is in a step does not matter to its place.
        ({**CHAIN, "b": {"needs": "a", "when": "1 > 2", "with": {"message": "n"}}}, {"a": OK}),
        # What begins again may be of another kind.
        ({**CHAIN, "b": {"needs": "a", "call": "x"}}, {"a": OK, "b": FAILED}),
        ({**CHAIN, "b": {"needs": "a", "call": "x"}}, {"a": OK}),
    ],
)
def test_nothing_stands_in_the_way_of_what_lies_ahead(
    after: dict[str, Any], steps: dict[str, StepStatus]
) -> None:
    assert moved(after, steps) == ()


@pytest.mark.parametrize(
    ("after", "steps", "told"),
    [
        ({"b": {}, "c": {"needs": "b"}}, {"a": OK}, "step 'a' is gone"),
        ({"a": {}, "c": {"needs": "a"}}, {"a": OK}, "step 'b' is gone"),
        ({**CHAIN, "b": {"needs": "a", "call": "x"}}, {"a": OK, "b": OK}, "and is now call"),
        ({**CHAIN, "a": {"call": "x"}}, {"a": RUNNING}, "was action and is now call"),
        # An ancestor that has not run is now needed.
        ({**CHAIN, "z": {}, "b": {"needs": ["a", "z"]}}, {"a": OK, "b": OK}, "'b' has other needs"),
        ({**CHAIN, "z": {}}, {"a": OK}, "step 'z' is new"),
        ({**CHAIN, "d": {"needs": "a"}}, {"a": OK}, "step 'd' is new"),
        ({**CHAIN, "c": {"needs": ["a", "b"]}}, {"a": OK}, "'c' has other needs"),
        ({**CHAIN, "b": {"needs": "a", "finish": True}}, {"a": OK}, "another `finish`"),
        (
            {**CHAIN, "b": {"needs": "a", "foreach": "event.data"}},
            {"a": OK},
            "`foreach` in one version only",
        ),
        ({**CHAIN, "d": {"needs": "b"}}, {"a": OK}, "one last step in one version and several"),
    ],
)
def test_what_the_run_has_reached_must_stay_where_it_is(
    after: dict[str, Any], steps: dict[str, StepStatus], told: str
) -> None:
    assert any(told in why for why in moved(after, steps)), moved(after, steps)


def test_a_run_that_has_not_begun_a_step_still_has_its_first_ones_sent() -> None:
    assert moved({"z": {}, "b": {"needs": "z"}}, {}) == (
        "step 'a' is gone",
        "step 'z' is new, where the run has been already",
    )
