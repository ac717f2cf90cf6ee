"""`simulate`: flows under seeded misfortune, by the emulator package in a process of its own."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Registers the command."""
    app.command()(simulate)


def simulate(  # noqa: PLR0913 - one option a question
    *,
    flow: Annotated[str | None, typer.Option(help="This flow alone; else each in turn.")] = None,
    event: Annotated[str | None, typer.Option(help="Type of the event to publish.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Its data: JSON, or @file; else a sample is made up.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds of each flow.")] = 200,
    seed: Annotated[int | None, typer.Option(help="This seed alone.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; one for each processor.")
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Tell the story of the seed, or the first broken one.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run flows under crashes, duplicates and outages; exit 1 and say how to replay what broke."""
    given = {"--flow": flow, "--event": event, "--data": data, "--seeds": seeds}
    more = {"--seed": seed, "--jobs": jobs}
    flags = {"--trace": trace, "--json": as_json}
    command = [sys.executable, "-m", "emulator", "simulate"]
    for name, value in {**given, **more}.items():
        command += [] if value is None else [f"{name}={value}"]
    command += [name for name, is_set in flags.items() if is_set]
    os.execv(command[0], command)  # noqa: S606 - Ctrl-C and the exit code are then its own
