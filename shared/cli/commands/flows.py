"""`flows`: what is declared in `prompts/flows`, and firing what has a schedule."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from shared.adapters.system_clock import SystemClock
from shared.cli.commands.runs import publish_draft
from shared.cli.options import AsJson, is_bare
from shared.cli.output import complain, out, print_json, safe
from shared.cli.world import library
from shared.client.sending import Draft
from shared.domain.flow import BatchTrigger, EventTrigger, Flow, ScheduleTrigger
from shared.domain.starts.schedules import DUE, SOURCE, tick
from shared.domain.version import FlowVersion
from shared.errors import UsageError
from shared.prompting.library import Library

flows = typer.Typer(help="Declared flows.", invoke_without_command=True)


class NoSuchFlowError(UsageError):
    """`segue flows list` shows what there is, `segue flows check` what is wrong with others."""


class NotScheduledError(UsageError):
    """Publish an event that it takes with `segue publish`; `segue flows list` shows which."""


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.add_typer(flows, name="flows")


@flows.callback()
def _bare_flows(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Listing is what a bare `flows` means."""
    if is_bare(context, as_json=as_json):
        list_flows(as_json=as_json)


@flows.command("list")
def list_flows(*, as_json: AsJson = False) -> None:
    """List flows with their versions and what starts them."""
    found = sound_library()
    if as_json:
        print_json([_flow(version) for version in found.flows.values()])
        return
    table = _table("flow", "version", "started by", "steps", "")
    for version in found.flows.values():
        flow = version.flow
        started, steps = safe(_started_by(flow)), " ".join(flow.steps)
        table.add_row(flow.flow, version.version, started, steps, safe(flow.description))
    out.print(table)


@flows.command("fire")
def fire(
    name: Annotated[str, typer.Argument(metavar="FLOW")],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Until its run has ended.")] = False,
    timeout: Annotated[str, typer.Option(help="How long --wait waits.")] = "5m",
    as_json: AsJson = False,
) -> None:
    """Start a scheduled flow now, with the event and the data that its schedule would bring."""
    found = library().flows.get(name)
    if found is None:
        raise NoSuchFlowError(f"there is no flow {name!r}")
    trigger = found.flow.on
    if not isinstance(trigger, ScheduleTrigger):
        raise NotScheduledError(f"flow {name!r} has no schedule")
    draft = Draft(DUE, tick(name, trigger.schedule).data, SOURCE, subject=name)
    publish_draft(draft, wait=wait, timeout=timeout, as_json=as_json)


def sound_library() -> Library:
    """The library; what is wrong with it is said, and does not hide the rest."""
    found = library()
    for problem in found.problems:
        complain(f"[yellow]left out:[/] {safe(problem)}")
    return found


def _flow(version: FlowVersion) -> dict[str, Any]:
    return {
        "flow": version.flow.flow,
        "version": version.version,
        "description": version.flow.description,
        "on": version.flow.on.model_dump(),
        "next_due": due.isoformat() if (due := _next_due(version.flow)) else None,
        "steps": list(version.flow.steps),
        "prompts": {name: prompt.version for name, prompt in version.prompts.items()},
    }


def _started_by(flow: Flow) -> str:
    match flow.on:
        case EventTrigger(event=event):
            return event
        case ScheduleTrigger(schedule=schedule):
            return f"{schedule.cron}, next {_next_due(flow):%Y-%m-%d %H:%M %Z}"
        case BatchTrigger(batch=batch):
            return f"{batch.size} of {batch.event}"
        case _:
            return "its name"


def _next_due(flow: Flow) -> datetime | None:
    """In the schedule's own time zone; None for a flow without one."""
    if not isinstance(flow.on, ScheduleTrigger):
        return None
    from shared.domain.starts.cron import next_due  # noqa: PLC0415 - only schedules need it

    return next_due(flow.on.schedule.cron, flow.on.schedule.time_zone, SystemClock().now())


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column)
    return table
