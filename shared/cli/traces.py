"""The story of a correlation id, from the structured log lines of every stage.

Knows the lines' fields, not who wrote them or where they are kept. A line that somebody else wrote
may have any field in any form: it is passed over or drawn with what it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_LOGGING = "logging.googleapis.com/"
_ATTEMPT = "stage_attempt"
_HUGE = 1e15  # neither milliseconds nor tokens; NaN is not below it either
_ID_LABELS = ("correlation_id", "run_id", "event_id", "dead_letter")


@dataclass(frozen=True)
class Entry:
    """One attempt of a stage at a message."""

    line: Mapping[str, Any]
    started: datetime

    @property
    def labels(self) -> Mapping[str, str]:
        labels = mapping(self.line.get(f"{_LOGGING}labels"))
        return {name: text for name, text in labels.items() if isinstance(text, str)}

    @property
    def stage(self) -> str:
        return str(self.line.get("stage", "?"))

    @property
    def disposition(self) -> str:
        """`ack`, `nack` or `bury`."""
        return str(self.line.get("disposition"))

    @property
    def outcome(self) -> str:
        return str(self.line.get("outcome", "?"))

    @property
    def reason(self) -> tuple[str, str] | None:
        """Code and message of the error it ended with."""
        error = mapping(self.line.get("error"))
        return (str(error.get("code", "?")), str(error.get("message", ""))) if error else None

    @property
    def tokens(self) -> float:
        """Tokens in and out; 0 where no model has answered."""
        names = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
        return sum(number(self.line.get(name)) for name in names)

    @property
    def cost_usd(self) -> float | None:
        """None where it is not known."""
        cost = self.line.get("cost_usd")
        return number(cost) if isinstance(cost, int | float) else None

    @property
    def correlation_id(self) -> str | None:
        return self.labels.get("correlation_id")

    @property
    def trace_id(self) -> str:
        return str(self.line.get(f"{_LOGGING}trace", "")).rsplit("/", 1)[-1]

    @property
    def span_id(self) -> str | None:
        return _text(self.line.get(f"{_LOGGING}spanId"))

    @property
    def parent_span_id(self) -> str | None:
        return _text(self.line.get("parent_span_id"))

    @property
    def is_sampled(self) -> bool:
        """Whether spans of its trace are stored."""
        return self.line.get(f"{_LOGGING}trace_sampled") is True and bool(self.trace_id)

    @property
    def duration_ms(self) -> float:
        """Not below 0: a clock may have been set back meanwhile."""
        return max(number(self.line.get("duration_ms")), 0.0)

    def concerns(self, wanted: str) -> bool:
        """By correlation, run, event or trace id, or by a dead letter."""
        about = {self.labels.get(name) for name in _ID_LABELS} | {self.trace_id or None}
        return wanted in about or wanted in _runs(self.line)

    def public(self) -> dict[str, Any]:
        """The entry for --json."""
        names = ("stage", "outcome", "disposition", "duration_ms", "started_at", "error")
        return {
            **{name: self.line.get(name) for name in names},
            "attempt": self.line.get("delivery_attempt"),
            "run_id": self.labels.get("run_id"),
            "step": self.labels.get("step"),
            "correlation_id": self.correlation_id,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "parent_span_id": self.parent_span_id,
        }


def read_entries(log: Path) -> Iterator[Entry]:
    """Stage attempts in a log; other output in it is passed over."""
    with log.open("rb") as lines:
        for raw in lines:
            entry = entry_of(raw)
            if entry is not None:
                yield entry


def entry_of(raw: bytes) -> Entry | None:
    """The stage attempt in a line of a log, if it is one."""
    if not raw.startswith(b"{"):
        return None
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None  # a line cut off by a killed process, or somebody else's
    return next(entries_of([line]), None)


def entries_of(lines: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    """The stage attempts among lines."""
    for line in lines:
        started = _moment(line.get("started_at"))
        is_attempt = line.get("kind") == _ATTEMPT and "disposition" in line
        if is_attempt and started is not None:
            yield Entry(line, started)


def story(entries: Iterable[Entry], wanted: str) -> list[Entry]:
    """All attempts that share the correlation id of what is wanted, in order of time."""
    everything = list(entries)
    correlations = {entry.correlation_id for entry in everything if entry.concerns(wanted)}
    correlations -= {None}
    return in_order(entry for entry in everything if entry.correlation_id in correlations)


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """By the time each began, as its own clock says."""
    return sorted(entries, key=lambda entry: entry.started)


def correlations_of(entries: Iterable[Entry]) -> list[str]:
    """Their correlation ids, each once."""
    return list(dict.fromkeys(entry.correlation_id or "-" for entry in entries))


def skew_ms(entries: Iterable[Entry]) -> float:
    """By how much clocks of instances differ at least: none begins before what sent its message."""
    everything = list(entries)
    began = {entry.span_id: entry.started for entry in everything if entry.span_id}
    early = (
        (began[entry.parent_span_id] - entry.started).total_seconds() * 1000
        for entry in everything
        if entry.parent_span_id in began
    )
    return max(early, default=0.0)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def number(value: Any) -> float:
    """The value where it is a number that can be counted with, else 0."""
    is_usable = isinstance(value, int | float) and abs(value) < _HUGE
    return float(value) if is_usable else 0.0


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _runs(line: Mapping[str, Any]) -> list[Any]:
    """Runs that an attempt of `route` opened."""
    runs = mapping(line.get("details")).get("runs")
    return runs if isinstance(runs, list) else []


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
