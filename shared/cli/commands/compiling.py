"""`flows compile`, and what checking finds of flows and tools that are Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import typer

from shared.cli.options import AsJson
from shared.cli.output import counted, print_json, safe, say
from shared.cli.world import library, python_tools, typed_flows
from shared.prompting.library import NO_LIBRARY, Library
from shared.prompting.source import Problem, SourceProblems
from shared.prompting.tool_files import stale_tools
from shared.prompting.tool_servers import read_servers
from shared.runtime.settings import ROOT, settings
from shared.typed.answers import answer_problems
from shared.typed.errors import FlowInvalidError
from shared.typed.files import stale_files, write_files


def add_to(flows: typer.Typer) -> None:
    """Registers the command."""
    flows.command("compile")(compile_flows)


def compile_flows(*, as_json: AsJson = False) -> None:
    """Write the flow files of the flows that are Python classes; name those that have changed."""
    changed = write_files(typed_flows(), settings().prompts)
    if as_json:
        print_json([path.as_posix() for path in changed])
        return
    for path in changed:
        say(safe(path))
    say(f"{counted(len(changed), 'file')} changed, of {counted(len(typed_flows()), 'typed flow')}")


def checked_library() -> Library:
    """The library, with the problems of typed flows and tools among its own."""
    try:
        found = library()
        return replace(found, problems=(*found.problems, *sorted(_problems(found))))
    except FlowInvalidError as error:  # nothing can be told of the others
        return replace(NO_LIBRARY, problems=error.problems)


def _problems(found: Library) -> Iterator[Problem]:
    """Classes that the prompts do not fit, and files that do not say what their Python says.

    Where all files are to be, those missing too.
    """
    prompts = settings().prompts
    for flow in typed_flows().values():
        yield from answer_problems(flow.shape, found.prompts)
    complete = prompts == ROOT / "prompts"
    yield from stale_files(typed_flows(), prompts, complete=complete)
    yield from stale_tools(python_tools(), prompts, complete=complete)
    try:
        read_servers(prompts)
    except SourceProblems as error:
        yield from error.problems
