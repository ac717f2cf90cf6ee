"""`flows` and `prompts`: what is declared in `prompts/`, and whether it makes sense."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.syntax import Syntax
from rich.table import Table

from shared.cli.output import complain, out, print_json, safe, say
from shared.cli.world import library
from shared.domain.version import FlowVersion, PromptVersion
from shared.errors import NotFoundError
from shared.prompting.library import Library

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
flows = typer.Typer(help="Declared flows.", invoke_without_command=True)
prompts = typer.Typer(help="Versioned prompts.", invoke_without_command=True)


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.add_typer(flows, name="flows")
    app.add_typer(prompts, name="prompts")


@flows.callback()
def _bare_flows(context: typer.Context) -> None:
    """Listing is what a bare `flows` means."""
    if context.invoked_subcommand is None:
        list_flows()


@flows.command("check")
def check(*, as_json: AsJson = False) -> None:
    """Check all flows and prompts; exit 1 and name file, line and remedy where one is wrong."""
    found = library()
    if as_json:
        print_json([vars(problem) for problem in found.problems])
    else:
        for problem in found.problems:
            complain(f"[bold]{safe(problem.file)}:{problem.line}[/]: {safe(problem.message)}")
        style = "red" if found.problems else "green"
        say(
            f"[{style}]{len(found.problems)} problems[/] in what was read;"
            f" {len(found.flows)} flows and {len(found.prompts)} prompts are sound"
        )
    if found.problems:
        raise typer.Exit(1)


@flows.command("list")
def list_flows(*, as_json: AsJson = False) -> None:
    """List flows with their versions and what starts them."""
    found = _sound()
    if as_json:
        print_json([_flow(version) for version in found.flows.values()])
        return
    table = _table("flow", "version", "started by", "steps", "")
    for version in found.flows.values():
        flow = version.flow
        steps = " ".join(flow.steps)
        table.add_row(flow.flow, version.version, flow.on.event, steps, safe(flow.description))
    out.print(table)


@prompts.callback()
def _bare_prompts(context: typer.Context) -> None:
    """Listing is what a bare `prompts` means."""
    if context.invoked_subcommand is None:
        list_prompts()


@prompts.command("list")
def list_prompts(*, as_json: AsJson = False) -> None:
    """List prompts with their versions and models."""
    found = _sound()
    if as_json:
        print_json([_prompt(prompt) for prompt in found.prompts.values()])
        return
    table = _table("prompt", "version", "model", "")
    for prompt in found.prompts.values():
        head = prompt.head
        table.add_row(prompt.name, prompt.version, head.model, safe(head.description))
    out.print(table)


@prompts.command("show")
def show_prompt(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show a prompt: its version, head, body and partials."""
    found = _sound().prompts.get(name)
    if found is None:
        raise NotFoundError(f"there is no prompt {name!r}")
    if as_json:
        print_json({**_prompt(found), "body": found.body, "partials": found.partials})
        return
    say(f"[bold]{safe(found.name)}[/] [dim]{found.version}[/]  {safe(found.head.model)}")
    say(safe(found.head.description), style="dim")
    out.print(Syntax(found.body.strip(), "jinja", word_wrap=True, background_color="default"))
    for partial, text in found.partials.items():
        say(f"[dim]{safe(partial)}[/]\n{safe(text.strip())}")


def _sound() -> Library:
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
        "steps": list(version.flow.steps),
        "prompts": {name: prompt.version for name, prompt in version.prompts.items()},
    }


def _prompt(prompt: PromptVersion) -> dict[str, Any]:
    return {"name": prompt.name, "version": prompt.version, **prompt.head.model_dump()}


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column)
    return table
