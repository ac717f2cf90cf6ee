"""The story of a correlation id, from the structured log lines of every stage.

Reads the local system's log; knows the lines' fields, not who wrote them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from shared.cli.output import money, plain, safe

_LABELS = "logging.googleapis.com/labels"
_TRACE = "logging.googleapis.com/trace"
_SPAN = "logging.googleapis.com/spanId"
_WIDTH = 24  # characters of the waterfall
_STYLE = {"ack": "green", "nack": "yellow", "bury": "red"}


@dataclass(frozen=True)
class Entry:
    """One attempt of a stage at a message."""

    line: dict[str, Any]

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.line.get(_LABELS, {})
        return labels

    @property
    def started(self) -> datetime:
        return datetime.fromisoformat(self.line["started_at"])

    @property
    def duration_ms(self) -> float:
        return float(self.line["duration_ms"])

    def concerns(self, wanted: str) -> bool:
        """By correlation id, run id, event id or trace id."""
        about = {self.labels.get(name) for name in ("correlation_id", "run_id", "event_id")}
        about |= {self.line.get(_TRACE, "").rsplit("/", 1)[-1]}
        return wanted in about or wanted in self.line.get("details", {}).get("runs", ())

    def public(self) -> dict[str, Any]:
        """The entry for --json."""
        names = ("stage", "outcome", "disposition", "duration_ms", "started_at", "error")
        return {
            **{name: self.line.get(name) for name in names},
            "attempt": self.line.get("delivery_attempt"),
            "run_id": self.labels.get("run_id"),
            "step": self.labels.get("step"),
            "correlation_id": self.labels.get("correlation_id"),
            "trace_id": self.line.get(_TRACE, "").rsplit("/", 1)[-1],
            "span_id": self.line.get(_SPAN),
            "parent_span_id": self.line.get("parent_span_id"),
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
    except ValueError:
        return None  # a line cut off by a killed process
    return Entry(line) if "disposition" in line and "started_at" in line else None


def story(entries: Iterator[Entry], wanted: str) -> list[Entry]:
    """All attempts that share the correlation id of what is wanted, in order of time."""
    everything = list(entries)
    correlations = {
        entry.labels.get("correlation_id") for entry in everything if entry.concerns(wanted)
    } - {None}
    found = [e for e in everything if e.labels.get("correlation_id") in correlations]
    return sorted(found, key=lambda entry: entry.started)


def waterfall(entries: list[Entry]) -> Table:
    """When each attempt began, how long it took and how it ended."""
    first = entries[0].started
    span = max((e.started - first).total_seconds() * 1000 + e.duration_ms for e in entries)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("at", "stage", "step", "try", "time", "", "outcome"):
        justify: JustifyMethod = "right" if name in {"at", "try", "time"} else "left"
        table.add_column(name, justify=justify, no_wrap=name != "outcome")
    for entry in entries:
        offset = (entry.started - first).total_seconds() * 1000
        style = _STYLE.get(entry.line["disposition"], "none")
        table.add_row(
            f"+{offset:.0f} ms",
            safe(entry.line["stage"]),
            safe(entry.labels.get("step", "")),
            str(entry.line.get("delivery_attempt") or ""),
            f"{entry.duration_ms:.0f} ms",
            Text(_bar(offset, entry.duration_ms, span), style=style),
            Text(plain(_told(entry)), style=style),
        )
    return table


def _bar(offset: float, duration: float, span: float) -> str:
    start = int(offset / span * _WIDTH) if span else 0
    length = max(1, round(duration / span * _WIDTH)) if span else 1
    return " " * min(start, _WIDTH - 1) + "█" * length


def _told(entry: Entry) -> str:
    line = entry.line
    parts = [line["outcome"]]
    if line.get("gen_ai.usage.output_tokens"):
        tokens = line["gen_ai.usage.input_tokens"] + line["gen_ai.usage.output_tokens"]
        parts.append(f"{tokens} tokens {money(line.get('cost_usd'))}")
    if line.get("error"):
        parts.append(f"{line['error']['code']}: {line['error']['message']}"[:100])
    return "  ".join(parts)
