"""When a model is skipped, probed and restored: a table of what is stored and what time it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.model_calls.breaker import (
    COOL_DOWN,
    FAILURES,
    LONGEST,
    PROBE,
    WINDOW,
    BreakerRecord,
    Verdict,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FRESH = BreakerRecord(model="m", since=NOW, expire_at=NOW)


def after(failures: int, apart: float = 1.0) -> BreakerRecord:
    record = FRESH
    for n in range(failures):
        record = record.failed(NOW + timedelta(seconds=n * apart))
    return record


OPEN = after(FAILURES, 0.0)


@pytest.mark.parametrize(
    ("record", "past", "verdict"),
    [
        (FRESH, timedelta(), "ask"),
        (after(FAILURES - 1), timedelta(), "ask"),
        (OPEN, timedelta(), "skip"),
        (OPEN, COOL_DOWN - timedelta(seconds=1), "skip"),
        (OPEN, COOL_DOWN, "probe"),
        (OPEN.probed(NOW + COOL_DOWN), COOL_DOWN, "skip"),
        (OPEN.probed(NOW + COOL_DOWN), COOL_DOWN + PROBE, "probe"),
        (OPEN.failed(NOW), COOL_DOWN, "probe"),
        (OPEN.failed(NOW + COOL_DOWN, probed=True), 3 * COOL_DOWN - timedelta(seconds=1), "skip"),
        (OPEN.failed(NOW + COOL_DOWN, probed=True), 3 * COOL_DOWN, "probe"),
        (OPEN.restored(), timedelta(), "ask"),
        (after(FAILURES * 3, WINDOW.total_seconds() + 1), timedelta(days=1), "ask"),
    ],
)
def test_a_call_is_made_skipped_or_a_probe(
    record: BreakerRecord, past: timedelta, verdict: Verdict
):
    assert record.verdict(NOW + past) == verdict


def test_a_model_that_never_answers_is_probed_ever_more_seldom_but_probed():
    record = OPEN
    for _ in range(20):
        assert record.until is not None
        record = record.failed(record.until, probed=True)
    assert record.until is not None
    assert record.verdict(record.until) == "probe"
    assert record.failed(NOW, probed=True).until == NOW + LONGEST
