"""What several commands take on the command line: --json, and durations."""

from __future__ import annotations

from typing import Annotated

import typer

from shared.domain.durations import seconds

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_LONGEST = 3650 * 86400.0  # seconds; documents and log lines are not kept longer


def is_bare(context: typer.Context, *, as_json: bool) -> bool:
    """Whether a group was called without a subcommand; --json before one is an error of usage."""
    if as_json and context.invoked_subcommand is not None:
        raise typer.BadParameter(f"--json goes behind {context.invoked_subcommand}")
    return context.invoked_subcommand is None


def duration(text: str) -> float:
    """Seconds of an option such as 90m or 7d; an error of usage where it is none."""
    try:
        value = float(seconds(text))  # type: ignore[arg-type] # a string always gives a number
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if value > _LONGEST:
        raise typer.BadParameter("a duration is at most 3650d")
    return value
