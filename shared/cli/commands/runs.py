"""`publish`, `runs` and `show`: events in, and what became of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from shared.cli.options import AsJson, duration
from shared.cli.output import LiveView, complain, out, print_json, safe, say
from shared.cli.sending import read_data
from shared.cli.views import run_view, runs_view
from shared.cli.watch import Progress, follow
from shared.cli.world import connect
from shared.client.sending import Draft, send
from shared.delivery.deps import Deps
from shared.delivery.runs.listing import MOST_RUNS, runs_of
from shared.delivery.runs.report import report_of
from shared.domain.events import Event
from shared.domain.records import RunStatus


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command()(publish)
    app.command()(runs)
    app.command()(show)


def publish(  # noqa: PLR0913 - one option an attribute of the event
    event_type: Annotated[str, typer.Argument(metavar="TYPE", help="CloudEvents type.")],
    *,
    data: Annotated[str, typer.Option(help="JSON, @file, or - for standard input.")] = "{}",
    source: Annotated[str | None, typer.Option(help="CloudEvents source.")] = None,
    event_id: Annotated[
        str | None, typer.Option("--id", help="CloudEvents id; the same id is the same event.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="CloudEvents partitionkey.")] = None,
    correlation_id: Annotated[str | None, typer.Option(help="Joins an existing story.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until its runs have ended.")] = False,
    timeout: Annotated[str, typer.Option(help="How long --wait waits.")] = "5m",
    as_json: AsJson = False,
) -> None:
    """Publish an event to the entry topic."""
    draft = Draft(event_type, read_data(data), source, event_id, key, correlation_id)
    publish_draft(draft, wait=wait, timeout=timeout, as_json=as_json)


def publish_draft(draft: Draft, *, wait: bool, timeout: str, as_json: bool) -> None:
    """Publishes; with `wait`, shows the runs until they have ended, and exits 1 where one fails."""
    limit = duration(timeout)
    progress = asyncio.run(_publish(draft, wait=wait, limit=limit, as_json=as_json))
    if progress is not None and not progress.succeeded:
        raise typer.Exit(1)


async def _publish(draft: Draft, *, wait: bool, limit: float, as_json: bool) -> Progress | None:
    deps = connect()
    event = (await send(draft, deps)).event
    about = {"event_id": event.id, "correlation_id": event.correlation_id, "type": event.type}
    if not wait:
        if as_json:
            print_json(about)
        else:
            say(f"published {safe(event.type)} [bold]{safe(event.id)}[/]")
            say(f"  segue trace {safe(event.correlation_id)}", style="dim")
        return None
    progress = await _watch(event, deps, limit, quiet=as_json)
    if as_json:
        print_json({**about, "runs": progress.runs or [], "error": _trouble(progress, event)})
    elif (trouble := _trouble(progress, event)) is not None:
        complain(f"[bold red]error:[/] {safe(trouble)}")
    return progress


async def _watch(event: Event, deps: Deps, limit: float, *, quiet: bool) -> Progress:
    shown = None if quiet else LiveView()
    progress = Progress()
    async for progress in follow(event, deps, seconds=limit):
        if shown is not None:
            shown.show(_progress_view(progress))
    if shown is not None:
        shown.close()
    return progress


def _progress_view(progress: Progress) -> RenderableType:
    if progress.runs is None:
        return Text("waiting for the event to be routed …", style="dim")
    return Group(*(run_view(run) for run in progress.runs))


def _trouble(progress: Progress, event: Event) -> str | None:
    if progress.letter is not None:
        return f"the event became dead letter {progress.letter.letter_id}: " + (
            progress.letter.error.message
        )
    if progress.timed_out:
        return "time is up and the runs have not ended; `segue runs` shows where they are"
    if progress.runs == []:
        return (
            f"no flow takes events of type {event.type!r}; `segue flows list` shows what they take"
        )
    return None


def runs(
    *,
    flow: Annotated[str | None, typer.Option(help="Only runs of this flow.")] = None,
    status: Annotated[RunStatus | None, typer.Option(help="Only runs in this state.")] = None,
    since: Annotated[str, typer.Option(help="How far back, e.g. 90m or 7d.")] = "30d",
    limit: Annotated[int, typer.Option(min=1, max=MOST_RUNS)] = 50,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    found = asyncio.run(_runs(flow, status, duration(since), limit))
    if as_json:
        print_json(found)
    elif found:
        out.print(runs_view(found))
    else:
        say("no runs", style="dim")


async def _runs(
    flow: str | None, status: RunStatus | None, since: float, limit: int
) -> list[dict[str, Any]]:
    deps = connect()
    opened = deps.clock.now() - timedelta(seconds=since)
    return await runs_of(deps, flow=flow, status=status, since=opened, limit=limit)


def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show a run with its steps, outputs, tokens and cost."""
    report = asyncio.run(_show(run_id))
    if as_json:
        print_json(report)
    else:
        out.print(run_view(report))


async def _show(run_id: str) -> dict[str, Any]:
    return await report_of(run_id, connect())
