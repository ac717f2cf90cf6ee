"""Draws a story: when each attempt began, how long it took and how it ended.

Every attempt is a row, however many there are. Decides nothing about which belong to the story.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from shared.cli.output import counted, cut, money, plain, safe
from shared.cli.traces import Entry

_WIDTH = 24  # characters of the bars
_STYLE = {"ack": "green", "nack": "yellow", "bury": "red"}
_WHAT = ("step", "tool")
_RIGHT = {"at", "try", "time"}


def waterfall(entries: Sequence[Entry]) -> Table:
    """One row an attempt; times count from the earliest beginning."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("at", "stage", "step", "try", "time", "", "outcome"):
        justify: JustifyMethod = "right" if name in _RIGHT else "left"
        table.add_column(name, justify=justify, no_wrap=name != "outcome")
    first = min((entry.started for entry in entries), default=None)
    if first is None:
        return table
    placed = [(_ms(entry, first), entry) for entry in entries]
    span = max(offset + entry.duration_ms for offset, entry in placed)
    for offset, entry in placed:
        style = _STYLE.get(entry.disposition, "none")
        table.add_row(
            f"+{length_of_time(offset)}",
            safe(entry.stage),
            safe(_what(entry)),
            safe(entry.line.get("delivery_attempt") or ""),
            length_of_time(entry.duration_ms),
            Text(_bar(offset, entry.duration_ms, span), style=style),
            Text(plain(_told(entry)), style=style),
        )
    return table


def length_of_time(ms: float) -> str:
    """Milliseconds as one reads them: 812 ms, 12.3 s, 5 min 07 s, 2 h 05 min."""
    if ms < 10_000:
        return f"{ms:.0f} ms"
    seconds = round(ms / 1000)
    if seconds < 100:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 100:
        return f"{minutes} min {seconds:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def _what(entry: Entry) -> str:
    """The step, the tool that is called, and who speaks in an agent with personas."""
    told = [entry.labels[name] for name in _WHAT if name in entry.labels]
    speaker = entry.labels.get("speaker")
    return " ".join([*told, *([f"as {speaker}"] if speaker else [])])


def _ms(entry: Entry, first: datetime) -> float:
    return (entry.started - first).total_seconds() * 1000


def _bar(offset: float, duration: float, span: float) -> str:
    start = min(int(offset / span * _WIDTH) if span else 0, _WIDTH - 1)
    length = max(1, round(duration / span * _WIDTH)) if span else 1
    return " " * start + "█" * min(length, _WIDTH - start)


def _told(entry: Entry) -> str:
    parts = [entry.outcome]
    if entry.tokens:
        parts.append(f"{counted(round(entry.tokens), 'token')} {money(entry.cost_usd)}")
    if entry.reason is not None:
        parts.append(cut(": ".join(entry.reason), 100))
    return "  ".join(parts)
