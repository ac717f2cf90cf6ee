"""The `segue` command: parses, calls, prints, and exits 0 done, 1 the thing failed, 2 bad usage."""

from __future__ import annotations

import sys

import typer

from shared.cli.commands import (
    cases,
    check,
    collections,
    compiling,
    flows,
    graph,
    labels,
    letters,
    local,
    outcomes,
    prompts,
    rollouts,
    runs,
    simulate,
    stats,
    stopping,
    tools,
    trace,
    waits,
)
from shared.cli.output import complain, safe
from shared.errors import SegueError, UsageError

app = typer.Typer(
    name="segue",
    help="Event-driven prompt orchestration on Google Cloud.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
local.add_to(app)
runs.add_to(app)
waits.add_to(app)
stopping.add_to(app)
trace.add_to(app)
outcomes.add_to(app)
letters.add_to(app)
flows.add_to(app)
prompts.add_to(app)
labels.add_to(prompts.prompts)
cases.add_to(prompts.prompts)
collections.add_to(app)
check.add_to(flows.flows)
compiling.add_to(flows.flows)
graph.add_to(flows.flows)
tools.add_to(app)
stats.add_to(flows.flows, prompts.prompts)
rollouts.add_to(app)
simulate.add_to(app)


def main() -> None:
    """Entry point; turns errors of the tree into one line on stderr and an exit code."""
    try:
        app(prog_name="segue")
    except UsageError as error:
        _fail(error, 2)
    except SegueError as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(error: SegueError, code: int) -> None:
    complain(f"[bold red]error:[/] {safe(error)}")
    sys.exit(code)


if __name__ == "__main__":
    main()
