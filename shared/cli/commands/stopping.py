"""`cancel`, `pause` and `resume`: runs that shall not go on, or not yet."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Annotated

import typer

from shared.cli.options import AsJson
from shared.cli.output import out, print_json, safe, say
from shared.cli.views import run_view
from shared.cli.world import connect
from shared.client.commanding import order
from shared.client.pace import Pace, Turns
from shared.client.stopping import shown
from shared.delivery.runs.report import Report, report_of
from shared.domain.commands import Cancel, Pause, Resume

RunId = Annotated[str, typer.Argument(metavar="RUN")]
By = Annotated[str | None, typer.Option(help="Who asks, e.g. an e-mail address.")]
Reason = Annotated[str | None, typer.Option(help="Why; kept with the run.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Until the run shows it.")]


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command()(cancel)
    app.command()(pause)
    app.command()(resume)


def cancel(
    run_id: RunId,
    *,
    reason: Reason = None,
    by: By = None,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """End a run as cancelled: nothing more of it begins, and what works on it is cut off."""
    _carry_out(Cancel(run=run_id, reason=reason, by=by), wait=wait, as_json=as_json)


def pause(
    run_id: RunId,
    *,
    reason: Reason = None,
    by: By = None,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Let a run finish what has begun, and begin nothing more until it is resumed."""
    _carry_out(Pause(run=run_id, reason=reason, by=by), wait=wait, as_json=as_json)


def resume(run_id: RunId, *, by: By = None, wait: Wait = True, as_json: AsJson = False) -> None:
    """Let a paused run go on."""
    _carry_out(Resume(run=run_id, by=by), wait=wait, as_json=as_json)


def _carry_out(asked: Cancel | Pause | Resume, *, wait: bool, as_json: bool) -> None:
    report = asyncio.run(_asked(asked, wait=wait))
    if as_json:
        print_json(report or {"run_id": asked.run})
    elif report is not None:
        out.print(run_view(report))
    else:
        say(f"asked for it: [bold]{safe(asked.run)}[/]")
        say(f"  segue show {safe(asked.run)}", style="dim")


async def _asked(asked: Cancel | Pause | Resume, *, wait: bool) -> Report | None:
    deps = connect()
    await order(asked, deps)
    if not wait:
        return None
    await shown(asked, deps, Pace(Turns(), Random()))
    return await report_of(asked.run, deps)
