"""`trace`: the story of a correlation id, from the local log or from Cloud Logging."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from shared.cli.cloud_story import LIMIT, CloudStory, Window, read_story
from shared.cli.options import AsJson, duration
from shared.cli.output import complain, counted, out, print_json, safe, say
from shared.cli.traces import Entry, correlations_of, read_entries, skew_ms, story
from shared.cli.waterfall import length_of_time, waterfall
from shared.client.local_state import STATE_DIR, read_state
from shared.errors import NotFoundError, UsageError
from shared.runtime.settings import LOCAL_PROJECT

_SINCE = "1d"


class NoLogError(UsageError):
    """The local system keeps its log in .segue/logs; start it with `segue up`."""


class LogElsewhereError(UsageError):
    """`segue trace ID --cloud` reads the log of a deployed system."""


def add_to(app: typer.Typer) -> None:
    """Registers the command."""
    app.command()(trace)


def trace(
    wanted: Annotated[
        str,
        typer.Argument(metavar="ID", help="Correlation, run, event or trace id, or a dead letter."),
    ],
    *,
    cloud: Annotated[
        bool, typer.Option("--cloud", help="Read Cloud Logging instead of the local log.")
    ] = False,
    since: Annotated[
        str | None, typer.Option(help=f"With --cloud: how far back, e.g. 90m or 7d; else {_SINCE}.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="With --cloud: whose log; else GOOGLE_CLOUD_PROJECT.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, help=f"With --cloud: the latest N attempts; else {LIMIT}."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw every stage and attempt of a correlation id, from the structured log lines.

    With --cloud, the time looked at and links to Logs Explorer and Cloud Trace follow; with --json
    they go to standard error, and standard output is the same list as of the local log.
    """
    if cloud:
        window = Window(since or _SINCE, duration(since or _SINCE))
        _show_cloud(asyncio.run(read_story(wanted, window, project, limit or LIMIT)), as_json)
        return
    for name, value in {"--since": since, "--project": project, "--limit": limit}.items():
        if value is not None:
            raise typer.BadParameter(f"{name} is for --cloud; the local log is read whole")
    entries = story(read_entries(_log()), wanted)
    if not entries:
        raise NotFoundError(f"no log line mentions {wanted!r}")
    _show(entries, as_json=as_json)


def _show(entries: list[Entry], *, as_json: bool) -> None:
    if as_json:
        print_json([entry.public() for entry in entries])
        return
    names = ", ".join(correlations_of(entries))
    say(f"correlation id [bold]{safe(names)}[/]")
    out.print(waterfall(entries))
    skew = skew_ms(entries)
    if skew:
        by = length_of_time(skew)
        say(f"clocks differ by {by} or more: attempts began before what sent them", style="dim")


def _show_cloud(found: CloudStory, as_json: bool) -> None:  # noqa: FBT001 - read beside the call
    _show(found.entries, as_json=as_json)
    tell: Callable[[str], None] = complain if as_json else say
    tell(f"[dim]{safe(found.scope)}[/]")
    if found.is_cut:
        shown = counted(len(found.entries), "attempt")
        tell(f"[yellow]cut:[/] the latest {shown}, older ones are left out; see --limit")
    for name, link in found.links:
        tell(f"{name}  {safe(link)}")


def _log() -> Path:
    state = read_state(STATE_DIR)
    log = Path(state.log) if state else STATE_DIR / "logs" / "stages.jsonl"
    if log.exists():
        return log
    project = os.environ.get("GOOGLE_CLOUD_PROJECT")
    if project and project != LOCAL_PROJECT:
        raise LogElsewhereError(
            f"there is no log at {log}, and GOOGLE_CLOUD_PROJECT names {project!r}"
        )
    raise NoLogError(f"there is no log at {log}")
