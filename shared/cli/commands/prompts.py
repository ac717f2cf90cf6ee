"""`prompts list|show|diff`: what is declared in `prompts/`, and what the registry has of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Annotated, Any, TypeVar

import typer
from rich.syntax import Syntax
from rich.table import Table

from shared.cli.commands.flows import sound_library
from shared.cli.options import AsJson, is_bare
from shared.cli.output import complain, out, print_json, safe, say
from shared.cli.registry import (
    Registered,
    difference,
    heads,
    named,
    reference,
    registered,
)
from shared.domain.prompts.records import LabelMove, PromptHead
from shared.domain.version import PromptVersion
from shared.errors import SegueError

_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_T = TypeVar("_T")
Reference = Annotated[str, typer.Argument(metavar="NAME[@LABEL|@N]")]
prompts = typer.Typer(help="Versioned prompts.", invoke_without_command=True)


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.add_typer(prompts, name="prompts")


@prompts.callback()
def _bare_prompts(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Listing is what a bare `prompts` means."""
    if is_bare(context, as_json=as_json):
        list_prompts(as_json=as_json)


@prompts.command("list")
def list_prompts(*, as_json: AsJson = False) -> None:
    """List prompts on disk and in the registry, with what the registry's labels point at."""
    found = sound_library().prompts
    known = _reached(heads()) or {}
    if as_json:
        print_json([_listed(name, found, known) for name in sorted({*found, *known})])
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("prompt", "on disk", "model", "registry", ""):
        table.add_column(column)
    for name in sorted({*found, *known}):
        prompt, labels = found.get(name), _labels(known.get(name))
        version, model = (prompt.version, prompt.head.model) if prompt else ("-", "-")
        about = safe(prompt.head.description) if prompt else ""
        table.add_row(safe(name), version, safe(model), labels, about)
    out.print(table)


@prompts.command("show")
def show_prompt(named_as: Reference, *, as_json: AsJson = False) -> None:
    """Show a prompt: head, body and partials, its versions and who moved its labels.

    NAME is the copy on disk; NAME@label, NAME@3 and NAME@<hash> are in the registry.
    """
    prompt = asyncio.run(named(named_as, sound_library()))
    known = _reached(registered(prompt.name))
    if as_json:
        document = {**_prompt(prompt), "body": prompt.body, "partials": prompt.partials}
        print_json({**document, "registry": _registered(known) if known else None})
        return
    say(f"[bold]{safe(prompt.name)}[/] [dim]{prompt.version}[/]  {safe(prompt.head.model)}")
    say(safe(prompt.head.description), style="dim")
    out.print(Syntax(prompt.body.strip(), "jinja", word_wrap=True, background_color="default"))
    for partial, text in prompt.partials.items():
        say(f"[dim]{safe(partial)}[/]\n{safe(text.strip())}")
    if known is not None:
        _say_registered(known)


@prompts.command("diff")
def diff_prompts(
    one: Reference,
    other: Annotated[str | None, typer.Argument(metavar="[NAME]@LABEL|@N")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show how two versions differ; with one name, how the copy on disk differs from it.

    `segue prompts diff joke@production` and `segue prompts diff joke@1 @2`.
    """
    found = sound_library()
    name = one.partition("@")[0]
    after = f"{name}{other}" if other is not None and other.startswith("@") else other or name
    before = one if reference(one) is not None or other is not None else f"{one}@production"

    async def both() -> tuple[PromptVersion, PromptVersion]:
        return await named(before, found), await named(after, found)

    old, new = asyncio.run(both())
    lines = list(difference((before, old), (after, new)))
    if as_json:
        versions = {"from": _prompt(old), "to": _prompt(new)}
        print_json({**versions, "is_same": old.version == new.version, "lines": lines})
        return
    for line in lines:
        out.print(safe(line), style=_STYLES.get(line[:1], "none"), soft_wrap=True)


def _reached(asked: Awaitable[_T]) -> _T | None:
    """What the registry says, None where it cannot be reached: that is told on stderr."""

    async def ask() -> _T:
        return await asked

    try:
        return asyncio.run(ask())
    except SegueError as error:
        complain(f"[dim]without the registry: {safe(error)}[/]")
        return None


def _prompt(prompt: PromptVersion) -> dict[str, Any]:
    return {"name": prompt.name, "version": prompt.version, **prompt.head.model_dump()}


def _listed(
    name: str, found: Mapping[str, PromptVersion], known: Mapping[str, PromptHead]
) -> dict[str, Any]:
    on_disk = _prompt(found[name]) if name in found else {"name": name, "version": None}
    head = known.get(name)
    registry = {"latest": head.latest, "labels": head.labels} if head is not None else None
    return {**on_disk, "registry": registry}


def _registered(known: Registered) -> dict[str, Any]:
    without = {"prompt", "name"}
    return {
        "latest": known.head.latest,
        "labels": known.head.labels,
        "versions": [one.model_dump(mode="json", exclude=without) for one in known.versions],
        "moves": [move.model_dump(mode="json") for move in known.moves],
    }


def _labels(head: PromptHead | None) -> str:
    if head is None:
        return "-"
    labels = " ".join(f"{label}={number}" for label, number in sorted(head.labels.items()))
    return f"{labels} [dim]of {head.latest}[/]" if labels else f"[dim]{head.latest}[/]"


def _say_registered(known: Registered) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("version", "content", "labels", "pushed", "by", ""):
        table.add_column(column)
    for one in known.versions:
        labels = [label for label, at in sorted(known.head.labels.items()) if at == one.number]
        row = (str(one.number), one.hash, " ".join(labels), f"{one.pushed_at:%Y-%m-%d %H:%M}")
        table.add_row(*row, safe(one.pushed_by), safe(one.message))
    out.print(table)
    for move in known.moves:
        say(f"[dim]{move.at:%Y-%m-%d %H:%M}  {told_of_move(move)}  by {safe(move.by)}[/]")


def told_of_move(move: LabelMove) -> str:
    """Where a label went, in a few words."""
    before = f"version {move.before}" if move.before is not None else "the bundled copy"
    after = f"version {move.version}" if move.version is not None else "the bundled copy"
    back = " (rollback)" if move.is_rollback else ""
    return f"{move.label}: {before} → {after}{back}"
