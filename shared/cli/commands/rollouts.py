"""`rollouts`: how they stand, and what a person makes of them."""

from __future__ import annotations

import asyncio
import getpass
import json
from typing import Annotated, Any

import typer
from rich.table import Table

from shared.cli.options import AsJson, is_bare
from shared.cli.output import cut, money, out, print_json, safe, say
from shared.cli.world import connect, library
from shared.delivery.rollouts.moving import move
from shared.delivery.rollouts.telling import all_rollouts, rollout_report
from shared.domain.rollouts.records import Standing

rollouts = typer.Typer(help="Splits, canaries, shadows.", invoke_without_command=True)
Name = Annotated[str, typer.Argument(metavar="NAME")]
By = Annotated[str | None, typer.Option(help="Who does it; else the user's name.")]
Why = Annotated[str, typer.Option(help="Why; kept with the rollout.")]
Report = dict[str, Any]


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.add_typer(rollouts, name="rollouts")


@rollouts.callback()
def _bare(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Listing is what a bare `rollouts` means."""
    if is_bare(context, as_json=as_json):
        list_rollouts(as_json=as_json)


@rollouts.command("list")
def list_rollouts(*, as_json: AsJson = False) -> None:
    """List the rollouts that runs have met, and how they stand."""
    found = asyncio.run(_all())
    if as_json:
        print_json(found)
        return
    table = _table("rollout", "of", "status", "since", "variants")
    for one in found:
        of = " ".join(f"{kind} {name}" for kind, name in one["of"].items())
        since = one["since"][:19].replace("T", " ")
        table.add_row(
            safe(one["rollout"]), safe(of), one["status"], since, safe(", ".join(one["arms"]))
        )
    out.print(table) if found else say("no run has met a rollout", style="dim")
    unmet = sorted(library().rollouts.keys() - {one["rollout"] for one in found})
    if unmet:
        say(f"declared, and met by no run yet: {', '.join(unmet)}", style="dim")


@rollouts.command("show")
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show how a rollout stands, what was measured, and who changed what and why."""
    _print(asyncio.run(_one(name)), as_json=as_json)


@rollouts.command("pause")
def pause(name: Name, *, by: By = None, why: Why = "", as_json: AsJson = False) -> None:
    """Give new runs the first variant until it is resumed."""
    _move(name, Standing.PAUSED, by, why, as_json=as_json)


@rollouts.command("resume")
def resume(name: Name, *, by: By = None, why: Why = "", as_json: AsJson = False) -> None:
    """Let a rollout go on that was paused, held or rolled back."""
    _move(name, Standing.RUNNING, by, why, as_json=as_json)


@rollouts.command("promote")
def promote(
    name: Name,
    variant: Annotated[str | None, typer.Argument(metavar="VARIANT")] = None,
    *,
    by: By = None,
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Give all new runs the candidate, or the variant that is named."""
    _move(name, Standing.PROMOTED, by, why, variant=variant, as_json=as_json)


@rollouts.command("rollback")
def rollback(name: Name, *, by: By = None, why: Why = "", as_json: AsJson = False) -> None:
    """Give no new run the candidate."""
    _move(name, Standing.ROLLED_BACK, by, why, as_json=as_json)


def _move(
    name: str,
    to: Standing,
    by: str | None,
    why: str,
    *,
    variant: str | None = None,
    as_json: bool,
) -> None:
    _print(asyncio.run(_moved(name, to, by or getpass.getuser(), why, variant)), as_json=as_json)


async def _moved(name: str, to: Standing, by: str, why: str, variant: str | None) -> Report:
    deps = connect()
    await move(name, to, by, why or f"segue rollouts: {to}", deps, variant=variant)
    return await rollout_report(name, deps)


async def _all() -> list[Report]:
    return await all_rollouts(connect())


async def _one(name: str) -> Report:
    return await rollout_report(name, connect())


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    of = " ".join(f"{kind} {name}" for kind, name in report["of"].items())
    say(f"[bold]{safe(report['rollout'])}[/]  {report['status']}  [dim]of {safe(of)}[/]")
    table = _table("variant", "version", "metric", "runs", "score")
    for row in report["measured"]:
        version, score = report["arms"][row["variant"]], row["score"]
        mean = "" if score is None else f"{score:.3f}"
        table.add_row(safe(row["variant"]), version, row["metric"], str(row["runs"]), mean)
    if report["measured"]:
        out.print(table)
    _print_comparisons(report.get("comparisons"))
    for move_ in report["history"]:
        at = move_["at"][:19].replace("T", " ")
        say(f"  [dim]{at}[/] {move_['status']} by {safe(move_['by'])}: {safe(move_['why'])}")


def _print_comparisons(found: Report | None) -> None:
    if found is None:
        return
    skipped = f", {found['skipped']} not asked" if found["skipped"] else ""
    counted = f"{found['equal']} of {found['compared']} equal, {found['failed']} failed{skipped}"
    say(f"  {counted}; the shadows cost {money(found['cost_usd'])}")
    table = _table("run", "step", "", "usual", "shadow", "cost", "time")
    for one in found["latest"]:
        if one["skipped"]:
            continue
        sides = (one["usual"], one["candidate"])
        told = [cut(safe(json.dumps(side["output"], ensure_ascii=False)), 40) for side in sides]
        costs = " / ".join(money(side["cost_usd"]) for side in sides)
        times = " / ".join(f"{side['seconds'] or 0:.2f} s" for side in sides)
        mark = "equal" if one["equal"] else "differs"
        table.add_row(safe(one["run_id"]), safe(one["step"] or ""), mark, *told, costs, times)
    if found["latest"]:
        out.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column)
    return table
