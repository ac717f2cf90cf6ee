"""Laws of retries: never more tries than asked for, never a longer wait than the limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.retry import STEP_ERRORS, Backoff, Retry, wait_before_retry

policies = st.builds(
    Retry,
    attempts=st.integers(1, 20),
    backoff=st.builds(
        Backoff,
        initial=st.floats(0.001, 600),
        factor=st.floats(1, 10),
        max=st.floats(0.001, 86_400),
        jitter=st.floats(0, 1),
    ),
    on=st.lists(st.sampled_from(sorted(STEP_ERRORS)), max_size=3).map(tuple),
)
codes = st.sampled_from([*sorted(STEP_ERRORS), "Expression", "StoreUnavailable"])


@given(policies, st.lists(codes, min_size=25, max_size=25), st.text())
def test_a_step_is_tried_no_more_often_than_asked_for(
    policy: Retry, errors: list[str], key: str
) -> None:
    tries = 1
    for code in errors:
        wait = wait_before_retry(policy, tries, code, key)
        if wait is None:
            break
        assert code in (policy.on or STEP_ERRORS)
        assert 0 <= wait <= policy.backoff.max
        tries += 1
    assert tries <= policy.attempts


@given(policies, st.integers(1, 19), st.text())
def test_without_jitter_no_wait_is_shorter_than_the_one_before(
    policy: Retry, failures: int, key: str
) -> None:
    even = policy.model_copy(
        update={
            "attempts": 20,
            "on": (),
            "backoff": policy.backoff.model_copy(update={"jitter": 0.0}),
        }
    )
    waits = [wait_before_retry(even, n, "ModelBusy", key) for n in (failures, failures + 1)]
    assert waits[1] is None or (waits[0] or 0) <= waits[1]
