"""`prompts stats` and `flows stats`: how versions and variants have done, with intervals."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from shared.cli.options import AsJson, duration
from shared.cli.output import counted, money, out, print_json, safe, say
from shared.cli.world import connect, library
from shared.delivery.rollouts import statistics
from shared.domain.version import all_prompts_of
from shared.prompting.library import Library

Since = Annotated[str, typer.Option(help="How far back, e.g. 90m or 7d.")]
_COLUMNS = ("version", "variant", "runs", "success", "outcomes", "tokens", "cost", "p50", "p95")


def add_to(flows: typer.Typer, prompts: typer.Typer) -> None:
    """Registers the commands."""
    flows.command("stats")(flow_stats)
    prompts.command("stats")(prompt_stats)


def flow_stats(
    name: Annotated[str, typer.Argument(metavar="FLOW")],
    *,
    since: Since = "30d",
    as_json: AsJson = False,
) -> None:
    """How the runs of a flow have done, by version and variant."""
    _show(asyncio.run(_of_flow(name, duration(since))), as_json=as_json)


def prompt_stats(name: str, *, since: Since = "30d", as_json: AsJson = False) -> None:
    """How a prompt has done, by version and variant, in the runs of the flows that ask with it."""
    flows = flows_with(name, library())
    _show(asyncio.run(_of_prompt(name, flows, duration(since))), as_json=as_json)


def flows_with(prompt: str, found: Library) -> list[str]:
    """Today's flows that ask with a prompt, by whatever label."""
    return [
        name
        for name, version in found.flows.items()
        if prompt in {one.partition("@")[0] for one in _prompts(version.flow.steps.values())}
    ]


def _prompts(steps: Iterable[Any]) -> Iterable[str]:
    return (name for step in steps for name in all_prompts_of(step))


async def _of_flow(name: str, since: float) -> dict[str, Any]:
    deps = connect()
    return await statistics.of_flow(name, deps.clock.now() - timedelta(seconds=since), deps)


async def _of_prompt(name: str, flows: list[str], since: float) -> dict[str, Any]:
    deps = connect()
    begin = deps.clock.now() - timedelta(seconds=since)
    return await statistics.of_prompt(name, flows, begin, deps)


def _show(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    if not report["groups"]:
        say("no runs", style="dim")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in _COLUMNS:
        table.add_column(column)
    for group in report["groups"]:
        table.add_row(*_cells(group))
    out.print(table)
    if report["is_cut"]:
        say(f"there are more; the latest {counted(report['runs'], 'run')} were read", style="dim")


def _cells(group: dict[str, Any]) -> Iterable[str]:
    tokens, latency = group["tokens"], group["latency_s"]
    outcomes = (f"{safe(name)} {_told(one)}" for name, one in group["outcomes"].items())
    return (
        group["version"],
        safe(group["variant"] or ""),
        str(group["runs"]),
        _told(group["success"]),
        "\n".join(outcomes),
        f"{tokens['input']}→{tokens['output']}",
        money(group["cost_usd"]),
        _time(latency["p50"]),
        _time(latency["p95"]),
    )


def _told(estimate: dict[str, Any]) -> str:
    """A value and its 95% interval."""
    if estimate["value"] is None:
        return "-"
    if estimate["low"] is None:
        return f"{estimate['value']:.3g}"
    return f"{estimate['value']:.3g} [{estimate['low']:.3g}, {estimate['high']:.3g}]".replace(
        "[", "\\["
    )


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"
