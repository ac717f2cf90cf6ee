"""`make bench`, first part: the embedded engine against Google's emulators, in the same run.

Decides what is compared and which way is better. Where Google's are missing, it measures the
embedded engine alone.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from emulator.bench.firestore_load import FirestoreLoad
from emulator.bench.pubsub_load import PubSubLoad
from emulator.embedded_engine import EmbeddedEngine
from emulator.engine import Engine, EngineMissingError
from emulator.google import GoogleEngine
from emulator.google_install import find
from shared.client.connection import pointed_at

Running = EmbeddedEngine | GoogleEngine


@dataclass(frozen=True)
class Measure:
    """One row: its unit, and whether more of it is better."""

    name: str
    unit: str
    more_is_better: bool


START = Measure("start-up to first ack and first set", "s", more_is_better=False)
PUSH_P50 = Measure("publish → push, p50", "ms", more_is_better=False)
PUSH_P99 = Measure("publish → push, p99", "ms", more_is_better=False)
PUSHES = Measure("push", "msg/s", more_is_better=True)
PUBLISHED = Measure("publish, batches of 100", "msg/s", more_is_better=True)
PULLED = Measure("streaming pull + ack", "msg/s", more_is_better=True)
SETS = Measure("document sets", "sets/s", more_is_better=True)
QUERY = Measure("point query among 10,000 documents, p50", "ms", more_is_better=False)
MEMORY = Measure("memory after all that", "MB", more_is_better=False)
Figures = dict[Measure, float]

_STARTS = 3
_LATENCIES = 200
_PUSHES = 1_000
_MESSAGES = 20_000
_SETS = 3_000
_DOCUMENTS = 10_000
_QUERIES = 100


async def compare(done: Callable[[], None]) -> dict[str, Figures]:
    """Figures by engine; `done` is called after each engine."""
    found = {"embedded": await _measured(EmbeddedEngine)}
    done()
    try:
        installation = find()
    except EngineMissingError:
        return found
    found["google"] = await _measured(lambda: GoogleEngine(installation))
    done()
    return found


async def _measured(build: Callable[[], Running]) -> Figures:
    with tempfile.TemporaryDirectory(prefix="segue-engine-") as folder:
        starts = [await _start(build(), Path(folder)) for _ in range(_STARTS - 1)]
        running = build()
        try:
            seconds, engine = await _first(running, Path(folder))
            starts.append(seconds)
            figures = await _loaded(engine)
            if sys.platform == "linux":
                figures[MEMORY] = sum(_resident_mb(pid) for pid in running.pids)
        finally:
            await running.stop()
    return {START: statistics.median(starts), **figures}


async def _start(running: Running, folder: Path) -> float:
    try:
        seconds, _ = await _first(running, folder)
    finally:
        await running.stop()
    return seconds


async def _first(running: Running, folder: Path) -> tuple[float, Engine]:
    started = time.perf_counter()
    engine = await running.start(folder)
    with pointed_at(engine.environment()):
        await PubSubLoad().first_ack()
        await FirestoreLoad().first_set()
    return time.perf_counter() - started, engine


async def _loaded(engine: Engine) -> Figures:
    with pointed_at(engine.environment()):
        pubsub, firestore = PubSubLoad(), FirestoreLoad()
    latencies = sorted(await pubsub.push_latencies(_LATENCIES))
    return {
        PUSH_P50: statistics.median(latencies) * 1000,
        PUSH_P99: latencies[int(_LATENCIES * 0.99) - 1] * 1000,
        PUSHES: await pubsub.pushes_per_second(_PUSHES),
        PUBLISHED: await pubsub.published_per_second(_MESSAGES),
        PULLED: await pubsub.pulled_per_second(_MESSAGES),
        SETS: await firestore.sets_per_second(_SETS),
        QUERY: statistics.median(await firestore.point_queries(_DOCUMENTS, _QUERIES)) * 1000,
    }


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def figures_of(found: dict[str, Figures]) -> list[dict[str, Any]]:
    """One entry a row; `ratio` is how many times better the embedded engine does."""
    return [
        {
            "what": measure.name,
            "unit": measure.unit,
            **{name: figures[measure] for name, figures in found.items()},
            "ratio": _ratio(measure, found),
        }
        for measure in found["embedded"]
    ]


def _ratio(measure: Measure, found: dict[str, Figures]) -> float | None:
    if "google" not in found:
        return None
    embedded, google = found["embedded"][measure], found["google"][measure]
    return embedded / google if measure.more_is_better else google / embedded


def table_of(rows: list[dict[str, Any]]) -> Table:
    """The figures side by side."""
    table = Table(title="engines", title_justify="left", box=None)
    engines = [name for name in ("embedded", "google") if name in rows[0]]
    table.add_column("what")
    for name in (*engines, "embedded is better by"):
        table.add_column(name, justify="right")
    for row in rows:
        figures = [f"{row[name]:,.{_digits(row[name])}f} {row['unit']}" for name in engines]
        ratio = "?" if row["ratio"] is None else f"{row['ratio']:.1f} x"
        table.add_row(row["what"], *figures, ratio)
    return table


def _digits(figure: float) -> int:
    return 0 if figure >= 100 else 1 if figure >= 10 else 2
