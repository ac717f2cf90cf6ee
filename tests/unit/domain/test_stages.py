"""A row of the stage table: its deadlines nest, its numbers are within Pub/Sub's limits."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.stages import Stage

ROW: dict[str, Any] = {
    "name": "act",
    "trigger": "topic",
    "topic": "act",
    "budget": "50s",
    "timeout": "55s",
    "ack_deadline": "60s",
    "retry": {"min": "1s", "max": "60s"},
    "max_attempts": 20,
    "memory": "512Mi",
}


def test_a_sound_row_is_read() -> None:
    stage = Stage.model_validate(ROW)
    assert (stage.budget, stage.timeout, stage.ack_deadline) == (50.0, 55.0, 60.0)
    assert stage.dead_letter_topic == "act-dead"


def test_an_http_stage_needs_no_subscription() -> None:
    row = {"name": "ingest", "trigger": "http", "budget": "1s", "timeout": "2s", "memory": "1Gi"}
    assert Stage.model_validate(row).ack_deadline is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"budget": "55s"}, "act: budget must be below timeout"),
        ({"timeout": "61s"}, "act: timeout must not exceed ack_deadline"),
        ({"ack_deadline": None}, "act: needs ack_deadline, retry and max_attempts"),
        ({"retry": None}, "act: needs ack_deadline, retry and max_attempts"),
        ({"max_attempts": None}, "act: needs ack_deadline, retry and max_attempts"),
        ({"ack_deadline": "601s"}, "ack_deadline"),
        ({"ack_deadline": "9s", "timeout": "8s", "budget": "7s"}, "ack_deadline"),
        ({"max_attempts": 4}, "max_attempts"),
        ({"max_attempts": 101}, "max_attempts"),
        ({"timeout": "11m"}, "timeout"),
        ({"concurrency": 0}, "concurrency"),
        ({"memory": "512MB"}, "memory"),
        ({"trigger": "cron"}, "trigger"),
        ({"colour": "red"}, "colour"),
        ({"filter": "é" * 129}, "act: filter must not exceed 256 bytes"),
        ({"filter": "é" * 100, "priorities": True}, "act: filter must not exceed 256 bytes"),
        ({"trigger": "dead-letters", "topic": None, "priorities": True}, "priorities and schedule"),
        ({"public": True}, "act: only a stage with trigger http can be public"),
        (
            {"trigger": "dead-letters", "ordering": True},
            "act: filter, ordering, priorities and schedule",
        ),
    ],
)
def test_an_unsound_row_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Stage.model_validate({**ROW, **change})
