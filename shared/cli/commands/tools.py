"""`tools`: what models may call, the files it is declared in, and a call by hand."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from shared.adapters.system_clock import SystemClock
from shared.cli.options import AsJson, is_bare
from shared.cli.output import complain, counted, out, print_json, safe, say
from shared.cli.world import library, python_tools
from shared.domain.agents.blackboard import BUILT_IN, BUILT_IN_TOOLS
from shared.domain.agents.tool import MCP, ToolVersion
from shared.domain.ids import digest
from shared.domain.model import Json
from shared.errors import NotFoundError, UsageError
from shared.prompting.tool_files import stale_tools, write_tools
from shared.runtime.container import build_servers
from shared.runtime.settings import settings
from shared.tools import ToolContext, invoke

tools = typer.Typer(help="Tools that models may call.", invoke_without_command=True)


class NoSuchToolError(NotFoundError):
    """`segue tools list` shows what there is."""


class ToolOfRunError(UsageError):
    """Let an agent call it; `segue show RUN --json` has the run's `blackboard`."""


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.add_typer(tools, name="tools")


@tools.callback()
def _bare(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Listing is what a bare `tools` means."""
    if is_bare(context, as_json=as_json):
        list_tools(as_json=as_json)


@tools.command("list")
def list_tools(*, as_json: AsJson = False) -> None:
    """List tools with their effects and where they come from."""
    found = _all_tools()
    if as_json:
        print_json([tool.model_dump() for tool in found.values()])
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("tool", "effect", "from", ""):
        table.add_column(column)
    for tool in found.values():
        first = tool.description.splitlines()[0] if tool.description else ""
        table.add_row(tool.name, tool.effect, safe(tool.source), safe(first))
    out.print(table)


@tools.command("show")
def show(name: Annotated[str, typer.Argument(metavar="NAME")], *, as_json: AsJson = False) -> None:
    """Show a tool: what models are told of it, and the schemas of its arguments and result."""
    tool = _tool(name)
    if as_json:
        print_json(tool.model_dump())
        return
    say(f"[bold]{safe(tool.name)}[/] [dim]{tool.effect}, {safe(tool.source)}[/]")
    say(safe(tool.description), style="dim")
    say(f"arguments\n{safe(json.dumps(tool.parameters, indent=2))}")
    say(f"result\n{safe(json.dumps(tool.result, indent=2))}")


@tools.command("compile")
def compile_tools(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where a file is out of date.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the files of the tools that are Python functions; name those that have changed."""
    declared, prompts = python_tools(), settings().prompts
    if check:
        stale = sorted(stale_tools(declared, prompts, complete=True))
        _tell([str(problem) for problem in stale], as_json=as_json)
        if stale:
            sys.exit(1)
        return
    changed = [path.as_posix() for path in write_tools(declared, prompts)]
    _tell(changed, as_json=as_json)
    if not as_json:
        say(f"{counted(len(changed), 'file')} changed, of {counted(len(declared), 'tool')}")


@tools.command("import")
def import_tools(
    server: Annotated[str, typer.Argument(metavar="SERVER", help="As prompts/tools/servers.yaml.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Declare the tools of an MCP server; name the files that have changed."""
    found = asyncio.run(build_servers(settings()).tools(server))
    declared = {tool.name: tool for tool in found}
    written = write_tools(declared, settings().prompts, f"{MCP}{server}")
    changed = [path.as_posix() for path in written]
    _tell(changed, as_json=as_json)
    if not as_json:
        say(f"{counted(len(changed), 'file')} changed, of {counted(len(declared), 'tool')}")


@tools.command("call")
def call(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    *,
    args: Annotated[str, typer.Option("--args", metavar="JSON", help="Its arguments.")] = "{}",
) -> None:
    """Call a tool in this process and print its result; what it records is not kept."""
    context, tool = _context(name, args), _tool(name)
    if tool.source == BUILT_IN:
        raise ToolOfRunError(f"{name} works on the blackboard of a run")
    print_json(asyncio.run(invoke(name, _arguments(args), context, tool)))


def _tell(lines: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json(lines)
        return
    for line in lines:
        say(safe(line))


def _all_tools() -> Mapping[str, ToolVersion]:
    """Those that are declared, and Python's own as they are now."""
    found = library()
    for problem in found.problems:
        complain(f"[yellow]left out:[/] {safe(problem)}")
    return dict(sorted({**BUILT_IN_TOOLS, **found.tools, **python_tools()}.items()))


def _tool(name: str) -> ToolVersion:
    found = _all_tools().get(name)
    if found is None:
        raise NoSuchToolError(f"there is no tool {name!r}")
    return found


def _arguments(text: str) -> dict[str, Json]:
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--args is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter("--args is a JSON object, by the names of the parameters")
    return value


def _context(name: str, args: str) -> ToolContext:
    key = digest("tools call", name, args)
    now = SystemClock().now()
    return ToolContext(
        run_id="cli",
        step="cli",
        call=name,
        key=key,
        correlation_id=key,
        now=now,
        records=_Unkept(),
        servers=build_servers(settings()),
    )


class _Unkept:
    """Implements `Records` for one call by hand: nothing is stored anywhere."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Json]] = {}

    async def put(self, name: str, data: Mapping[str, Json]) -> dict[str, Json]:
        return self._records.setdefault(name, dict(data))

    async def get(self, name: str) -> dict[str, Json] | None:
        return self._records.get(name)
