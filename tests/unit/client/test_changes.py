"""What a step went through is told from its record alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.client.changes import Change, in_order, of_step
from shared.domain.chain import StepStatus
from shared.domain.records import Attempt, Failure, StepRecord

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BUSY = Failure(code="ModelBusy", message="m")


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def attempt(n: int, **about: Any) -> Attempt:
    return Attempt(n=n, started_at=at(10 * n), **about)


def given_back(n: int) -> Attempt:
    return attempt(n, finished_at=at(10 * n + 5), outcome="released", error=BUSY)


@pytest.mark.parametrize(
    ("status", "attempts", "told"),
    [
        ("pending", [], []),
        ("skipped", [], [("skipped", 0)]),
        ("waiting", [], [("waiting", 0)]),
        ("failed", [], [("failed", 0)]),
        ("running", [attempt(1)], [("running", 1)]),
        ("pending", [given_back(1)], [("running", 1), ("pending", 1)]),
        ("running", [given_back(1), attempt(2)], [("running", 1), ("pending", 1), ("running", 2)]),
        ("cancelled", [attempt(1)], [("running", 1), ("cancelled", 1)]),
        (
            "succeeded",
            [given_back(1), attempt(2)],
            [("running", 1), ("pending", 1), ("running", 2), ("succeeded", 2)],
        ),
    ],
)
def test_a_record_tells_every_state_of_its_step(
    status: str, attempts: list[Attempt], told: list[tuple[str, int]]
) -> None:
    record = StepRecord(
        run_id="r",
        flow="f",
        step="s",
        stage="generate",
        status=StepStatus(status),
        attempts=attempts,
        output={"text": "t"},
        finished_at=at(99),
        expire_at=NOON,
    )
    changes = list(of_step(record))
    assert [(change.status.value, change.attempt) for change in changes] == told
    assert {change.step for change in changes} <= {"s"}
    for change in changes:
        ended = change.status.is_final if isinstance(change.status, StepStatus) else False
        assert (change.at == at(99), change.output is not None) == (ended, ended)
        assert (change.error == BUSY) is (change.status is StepStatus.PENDING)


def test_changes_are_told_in_order_of_time_and_at_once_as_they_come() -> None:
    early, late, same = (Change("r", "s", StepStatus.SKIPPED, n, at(n % 2)) for n in (2, 1, 4))
    assert in_order([late, early, same]) == [early, same, late]
