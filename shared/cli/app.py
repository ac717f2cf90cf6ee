"""The `segue` command: parses, calls, prints, and exits 0 done, 1 the thing failed, 2 bad usage."""

from __future__ import annotations

import sys

import typer

from shared.cli import (
    commands_cases,
    commands_check,
    commands_collections,
    commands_compile,
    commands_flows,
    commands_graph,
    commands_labels,
    commands_letters,
    commands_local,
    commands_outcomes,
    commands_prompts,
    commands_rollouts,
    commands_runs,
    commands_simulate,
    commands_stats,
    commands_stopping,
    commands_tools,
    commands_trace,
    commands_waits,
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
commands_local.add_to(app)
commands_runs.add_to(app)
commands_waits.add_to(app)
commands_stopping.add_to(app)
commands_trace.add_to(app)
commands_outcomes.add_to(app)
commands_letters.add_to(app)
commands_flows.add_to(app)
commands_prompts.add_to(app)
commands_labels.add_to(commands_prompts.prompts)
commands_cases.add_to(commands_prompts.prompts)
commands_collections.add_to(app)
commands_check.add_to(commands_flows.flows)
commands_compile.add_to(commands_flows.flows)
commands_graph.add_to(commands_flows.flows)
commands_tools.add_to(app)
commands_stats.add_to(commands_flows.flows, commands_prompts.prompts)
commands_rollouts.add_to(app)
commands_simulate.add_to(app)


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
