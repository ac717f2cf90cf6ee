"""Durations as people write them (`90s`, `10m`, `24h`, `7d`), held as seconds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")


def seconds(value: object) -> object:
    """Seconds of a duration; numbers are seconds already; anything else is left to pydantic."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("a duration is a number and a unit: 500ms, 90s, 10m, 24h, 7d")
    return float(match[1]) * _UNITS[match[2]]


Seconds = Annotated[
    float,
    BeforeValidator(seconds),
    Field(gt=0, le=366 * 86400.0),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$", "examples": ["90s", "10m"]}
    ),
]
