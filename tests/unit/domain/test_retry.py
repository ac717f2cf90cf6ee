"""Whether a step that has failed is tried again, and after how long."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.retry import STEP_ERRORS, Backoff, Retry, wait_before_retry
from shared.domain.step import CallStep, Fallback
from shared.errors import Permanent, SegueError, Transient

PLAIN = Backoff(initial=1, factor=2, max=60, jitter=0)


def retry(**about: Any) -> Retry:
    return Retry.model_validate({"backoff": PLAIN, **about})


@pytest.mark.parametrize(
    ("policy", "failures", "code", "wait"),
    [
        (None, 1, "ModelBusy", None),
        (retry(attempts=3), 1, "ModelBusy", 1.0),
        (retry(attempts=3), 2, "ModelBusy", 2.0),
        (retry(attempts=3), 3, "ModelBusy", None),
        (retry(attempts=1), 1, "ModelBusy", None),
        (retry(attempts=20), 4, "ActionFailed", 8.0),
        (retry(attempts=20), 7, "ActionFailed", 60.0),
        (retry(attempts=20), 19, "ActionFailed", 60.0),
        (retry(attempts=20), 20, "ActionFailed", None),
        (retry(attempts=3), 1, "Expression", None),
        (retry(attempts=3), 1, "StoreUnavailable", None),
        (retry(attempts=3), 1, "ClaimLost", None),
        (retry(attempts=3, on=["ModelBusy"]), 1, "ModelBusy", 1.0),
        (retry(attempts=3, on=["ModelBusy"]), 1, "ModelRefused", None),
    ],
)
def test_a_policy_decides_on_each_failure(
    policy: Retry | None, failures: int, code: str, wait: float | None
) -> None:
    assert wait_before_retry(policy, failures, code, "run/step") == wait


def test_waits_are_spread_by_their_key_and_repeat_for_it() -> None:
    policy = retry(attempts=5, backoff=Backoff(initial=10, jitter=0.5))
    waits = [wait_before_retry(policy, 1, "ModelBusy", f"run/{n}") for n in range(50)]
    assert waits == [wait_before_retry(policy, 1, "ModelBusy", f"run/{n}") for n in range(50)]
    assert len(set(waits)) == 50
    assert all(5 <= (wait or 0) <= 15 for wait in waits)


def test_without_more_said_it_is_three_tries_over_a_few_seconds() -> None:
    policy = Retry()
    waits = [wait_before_retry(policy, n, "ModelBusy", "k") for n in (1, 2, 3)]
    assert waits[2] is None
    assert 0.8 <= (waits[0] or 0) <= 1.2
    assert 1.6 <= (waits[1] or 0) <= 2.4


def test_every_error_that_can_be_retried_is_one_of_segues() -> None:
    def below(kind: type[SegueError]) -> set[type[SegueError]]:
        return {kind}.union(*(below(one) for one in kind.__subclasses__()))

    codes = {kind.__name__.removesuffix("Error") for kind in below(Transient) | below(Permanent)}
    assert codes >= STEP_ERRORS


@pytest.mark.parametrize(
    "said",
    [
        {"retry": {"attempts": 0}},
        {"retry": {"attempts": 21}},
        {"retry": {"backoff": {"factor": 0.5}}},
        {"retry": {"backoff": {"jitter": 2}}},
        {"retry": {"backoff": {"initial": "soon"}}},
        {"retry": {"on": ["Expression"]}},
        {"retry": {"on": ["NoSuch"]}},
        {"retry": {"tries": 3}},
        {"fallback": {}},
        {"fallback": {"value": 1, "step": "b"}},
        {"fallback": {"other": 1}},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CallStep.model_validate({"call": "x.y", **said})


def test_no_value_is_a_value_too() -> None:
    assert Fallback.model_validate({"value": None}).is_value
    assert not Fallback.model_validate({"step": "b"}).is_value


def test_one_code_may_be_written_without_a_list() -> None:
    assert Retry.model_validate({"on": "ModelBusy"}).on == ("ModelBusy",)
