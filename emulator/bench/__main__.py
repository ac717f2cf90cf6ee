"""`python -m emulator.bench [--json]`: the engines against each other, then the pipeline on ours.

Decides what is measured and shown. Ratios are between figures of the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
from rich.progress import Progress
from rich.table import Table

from emulator.bench.constructs import Constructs, Figure, prompts_with_constructs
from emulator.bench.counting import RunCost, cost_of
from emulator.bench.engines import compare, figures_of, table_of
from emulator.bench.measure import HOPS, Meter, Spread
from emulator.engine import EngineError
from emulator.system import LocalSystem, Options
from shared.adapters.firestore_store import FirestoreStore, build_client
from shared.cli.output import complain, err, out, print_json, safe
from shared.client.connection import pointed_at
from shared.client.local_state import State

CONCURRENCY = 50
_SINGLE = 30
_THROUGHPUT = ((0, 300), (200, 300))  # model latency in ms, runs


def main() -> int:
    """Exit code 0, or 1 where the system could not be started."""
    parser = argparse.ArgumentParser(prog="python -m emulator.bench")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    try:
        results = asyncio.run(_bench())
    except EngineError as error:
        complain(f"[bold red]error:[/] {safe(error)}")
        return 1
    if given.json:
        print_json(results)
    else:
        _show(results)
    return 0


async def _bench() -> dict[str, Any]:
    with Progress(console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("engines", total=2)
        found = await compare(lambda: progress.advance(task))
    return {"engines": figures_of(found), **await _pipeline()}


async def _pipeline() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as folder:
        prompts = prompts_with_constructs(Path(folder))
        options = Options(directory=Path(folder) / "state", sweep_every=60, prompts=prompts)
        async with LocalSystem(options) as state:
            with pointed_at(state.environment):  # its clients are constructed while it measures
                return await _measured(state)


async def _measured(state: State) -> dict[str, Any]:
    meter = Meter(state)
    total = 3 + sum(count for _, count in _THROUGHPUT)
    rates: dict[str, float] = {}
    with Progress(console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("measuring", total=total)
        floor = await meter.floor(_SINGLE)
        progress.advance(task)
        hop = await meter.one_at_a_time(_SINGLE)
        progress.advance(task)
        for latency, count in _THROUGHPUT:
            await _set_latency(state, latency)
            rates[f"{latency} ms"] = await meter.many_at_once(
                count, CONCURRENCY, f"many-{latency}", lambda: progress.advance(task)
            )
        constructs = await _constructs(state)
        progress.advance(task)
    cost = await cost_of("joke.requested", {"topic": "pirates"})
    results = _results(state, floor, hop, rates, cost)
    return {**results, "constructs": [_over(figure, floor) for figure in constructs]}


async def _constructs(state: State) -> list[Figure]:
    store = FirestoreStore(build_client(state.environment["GOOGLE_CLOUD_PROJECT"]))
    try:
        return await Constructs(state, store).measured()
    finally:
        await store.close()


def _over(figure: Figure, floor: Spread) -> dict[str, Any]:
    """As results have it."""
    over = round(figure.ms_each / floor.p50, 2)
    return {**vars(figure), "ms_each": round(figure.ms_each, 2), "over_floor": over}


async def _set_latency(state: State, milliseconds: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{state.urls['model']}/_latency", json={"ms": milliseconds})
        answer.raise_for_status()


def _results(
    state: State, floor: Spread, hop: Spread, rates: dict[str, float], cost: RunCost
) -> dict[str, Any]:
    return {
        "engine": state.details["engine"],
        "floor_ms": vars(floor),
        "hop_ms": vars(hop),
        "hop_over_floor": round(hop.p50 / floor.p50, 2),
        "hops_per_run": HOPS,
        "runs_per_second": {latency: round(rate, 1) for latency, rate in rates.items()},
        "concurrency": CONCURRENCY,
        "per_run": vars(cost),
    }


def _show(results: dict[str, Any]) -> None:
    out.print(table_of(results["engines"]))
    if "google" not in results["engines"][0]:
        out.print("  Google's emulators were not found: nothing to compare with")
    out.print()
    table = Table(title=f"joke flow on {results['engine']}", title_justify="left", box=None)
    table.add_column("what")
    table.add_column("p50", justify="right")
    table.add_column("p95", justify="right")
    for name, key in (
        ("floor: publish → push → empty function", "floor_ms"),
        ("one hop of a run", "hop_ms"),
    ):
        spread = results[key]
        table.add_row(name, f"{spread['p50']:.1f} ms", f"{spread['p95']:.1f} ms")
    out.print(table)
    out.print(f"  a hop takes {results['hop_over_floor']} times the floor")
    for latency, rate in results["runs_per_second"].items():
        out.print(
            f"  {rate} runs/s at concurrency {results['concurrency']} with a model of {latency}"
        )
    for one in results["constructs"]:
        out.print(
            f"  {one['what']}, of {one['count']:,}: {one['ms_each']:.1f} ms,"
            f" {one['over_floor']} times the floor"
        )
    cost = results["per_run"]
    out.print(
        f"  a run of {cost['steps']} steps: {cost['writes']} document writes,"
        f" {cost['reads']} reads, {cost['messages']} messages"
    )


if __name__ == "__main__":
    sys.exit(main())
