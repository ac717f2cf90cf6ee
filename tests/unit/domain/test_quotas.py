"""What a quota lets through, how flows share it, and what is learnt from refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from shared.domain.model_calls.quotas import (
    FULL,
    LEAST,
    Counted,
    LearntRecord,
    Quota,
    Quotas,
    Window,
    admits,
    counted_in,
    counts,
    taken_back,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIXTY = Quota(requests_per_minute=60)  # ten in a window
TOKENS = Quota(tokens_per_minute=6000)  # a thousand in a window
FRESH = LearntRecord(model="m", at=NOW, expire_at=NOW)


@pytest.mark.parametrize(
    ("quota", "counted", "passed", "factor", "is_admitted"),
    [
        (SIXTY, Counted(10, 0, 10, 1), 0.0, FULL, True),
        (SIXTY, Counted(11, 0, 11, 1), 0.9, FULL, False),
        (SIXTY, Counted(6, 0, 6, 2), 0.4, FULL, False),  # two flows: five each at first
        (SIXTY, Counted(6, 0, 5, 2), 0.4, FULL, True),
        (SIXTY, Counted(6, 0, 6, 2), 0.5, FULL, True),  # then all that is left
        (SIXTY, Counted(5, 0, 5, 1), 0.0, FULL // 2, True),
        (SIXTY, Counted(6, 0, 6, 1), 0.0, FULL // 2, False),
        (SIXTY, Counted(1, 0, 1, 50), 0.0, LEAST, True),
        (TOKENS, Counted(4, 1000, 4, 1), 0.0, FULL, True),
        (TOKENS, Counted(4, 1001, 4, 1), 0.0, FULL, False),
        (TOKENS, Counted(1, 9000, 1, 1), 0.0, FULL, True),
    ],
)
def test_a_request_is_admitted_or_waits(
    quota: Quota,
    counted: Counted,
    passed: float,
    factor: int,
    is_admitted: bool,  # noqa: FBT001 - a column
):
    assert admits(quota, counted, passed, factor) is is_admitted


def test_a_small_quota_has_windows_in_which_one_request_fits():
    assert Quota(requests_per_minute=2).window == 30
    assert Window.at(NOW + timedelta(seconds=45), 30).passed == 0.5


def test_what_is_taken_back_is_still_known_to_have_been_asked_for():
    added = counts("flow", 7)
    left = {name: by + taken_back(added).get(name, 0) for name, by in added.items()}
    assert sum(left.values()) == 1
    other = counts("other", 7)
    assert counted_in(other, {**left, "expire_at": NOW}) == Counted(1, 7, 1, 2)


def test_refusals_halve_what_is_used_and_it_comes_back_slowly():
    first = FRESH.refused(NOW)
    assert first is not None
    assert first.factor == FULL // 2
    assert first.refused(NOW + timedelta(seconds=1)) is None
    assert first.factor_at(NOW + timedelta(minutes=2)) == FULL // 2 + 100
    assert first.factor_at(NOW + timedelta(hours=1)) == FULL
    record = first
    for n in range(10):
        record = record.refused(NOW + timedelta(seconds=11 * (n + 1))) or record
    assert record.factor == LEAST


def test_a_quota_says_something():
    with pytest.raises(ValidationError, match="requests_per_minute"):
        Quotas.model_validate({"models": {"m": {}}})
