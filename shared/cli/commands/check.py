"""`flows check`: whether what is declared makes sense, and what in flight it leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table

from shared.calls import registered_names
from shared.cli.commands.compiling import checked_library
from shared.cli.in_flight import LOOKED_AT, InFlight, Reasons, Standing, in_flight
from shared.cli.options import AsJson
from shared.cli.output import complain, counted, out, print_json, safe, say
from shared.cli.world import connect
from shared.errors import SegueError, UsageError
from shared.prompting.library import Library
from shared.runtime.settings import settings

_SHOWN = 10  # runs of a version that are named
_REMEDY = (
    "Put back what they need until these runs have ended, or cancel them with `segue cancel RUN`."
)


class NothingDeclaredError(UsageError):
    """Put flows into flows/*.yaml and prompts into templates/ there, or set SEGUE_PROMPTS."""


def add_to(flows: typer.Typer) -> None:
    """Registers the command."""
    flows.command("check")(check)


def check(
    *,
    compare: Annotated[
        bool | None,
        typer.Option(
            "--in-flight/--no-in-flight",
            help="Compare with the runs under way; as a rule, where a system can be reached.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check all flows and prompts; exit 1 and name file, line and remedy where one is wrong.

    Compared with the runs under way, it says too which of them this version could not serve.
    """
    found = checked_library()
    if not (found.problems or found.flows or found.prompts):
        raise NothingDeclaredError(f"there is nothing to check in {settings().prompts}")
    if not as_json:
        _say_problems(found)
    under_way = None if compare is False else _in_flight(found, is_asked_for=compare is True)
    if as_json:
        _print_as_json(found, under_way, is_asked_for=compare is True)
    if under_way is not None:
        _say_in_flight(under_way, quiet=as_json)
    if found.problems or (under_way is not None and not under_way.is_served):
        raise typer.Exit(1)


def _in_flight(found: Library, *, is_asked_for: bool) -> InFlight | None:
    """None where nothing can be reached, unless it was asked for: then that is an error."""

    async def compare() -> InFlight:
        return await in_flight(found.flows, registered_names(), connect())

    try:
        return asyncio.run(compare())
    except SegueError as error:
        if is_asked_for:
            raise
        complain(f"[dim]not compared with runs under way: {safe(error)}[/]")
        return None


def _say_problems(found: Library) -> None:
    for problem in found.problems:
        complain(f"[bold]{safe(problem.file)}:{problem.line}[/]: {safe(problem.message)}")
    style = "red" if found.problems else "green"
    say(
        f"[{style}]{counted(len(found.problems), 'problem')}[/] in what was read; sound:"
        f" {counted(len(found.flows), 'flow')}, {counted(len(found.prompts), 'prompt')}"
    )


def _print_as_json(found: Library, under_way: InFlight | None, *, is_asked_for: bool) -> None:
    """The problems; with what is in flight, where that was asked for."""
    problems = [vars(problem) for problem in found.problems]
    if not is_asked_for or under_way is None:
        print_json(problems)
        return
    standings = [standing.document() for standing in under_way.standings]
    prompts = "labels" if under_way.by_labels else "bundled"
    about = {"in_flight": standings, "in_flight_is_cut": under_way.is_cut, "prompts": prompts}
    print_json({"problems": problems, **about})


def _say_in_flight(under_way: InFlight, *, quiet: bool) -> None:
    if not quiet:
        _say_standings(under_way)
    for standing in under_way.standings:
        for line in _lines(standing.unserved):
            complain(f"[bold red]cannot be served:[/] {line}")
    if not under_way.is_served:
        complain(_REMEDY)


def _say_standings(under_way: InFlight) -> None:
    if not under_way.standings:
        say("no runs under way", style="dim")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("flow", "version", "under way", ""):
        table.add_column(column)
    for standing in under_way.standings:
        runs = counted(len(standing.runs), "run")
        table.add_row(safe(standing.flow), standing.version, runs, _served_by(standing))
    out.print(table)
    which = "what labels point at now" if under_way.by_labels else "the bundled copies alone"
    say(f"today's version has the prompts of {which}", style="dim")
    for standing in under_way.standings:
        for line in _lines(standing.unmoved):
            say(f"[dim]could not be moved to today's version:[/] {line}")
    if under_way.is_cut:
        say(f"there are more; {LOOKED_AT:,} were looked at", style="dim")


def _served_by(standing: Standing) -> str:
    if standing.unserved:
        return f"[red]{len(standing.unserved)} cannot be served[/]"
    return "today's version" if standing.is_todays else "stay on their stored version"


def _lines(reasons: Reasons) -> Iterator[str]:
    for run, why in list(reasons.items())[:_SHOWN]:
        yield f"{safe(run)}: {safe('; '.join(why))}"
    if len(reasons) > _SHOWN:
        yield f"and {counted(len(reasons) - _SHOWN, 'run')} more"
