"""Durations as people write them, and what is not one."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.domain.durations import Seconds

_ADAPTER: TypeAdapter[float] = TypeAdapter(Seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("90s", 90.0),
        ("1.5m", 90.0),
        ("10m", 600.0),
        ("24h", 86_400.0),
        ("7d", 604_800.0),
        (" 3s ", 3.0),
        (30, 30.0),
        (0.25, 0.25),
    ],
)
def test_durations_are_seconds(text: object, seconds: float) -> None:
    assert _ADAPTER.validate_python(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "10", "10 m", "m", "1h30m", "-5s", "10w", "1e3s", "٣s", "0s", 0, -1, "367d", None]
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValidationError):
        _ADAPTER.validate_python(text)


def test_the_complaint_shows_how_a_duration_is_written() -> None:
    with pytest.raises(ValidationError, match="500ms, 90s, 10m, 24h, 7d"):
        _ADAPTER.validate_python("soon")
