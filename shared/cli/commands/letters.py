"""`dead-letters`: what could not be processed, why, and how to continue it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table

from shared.cli.options import AsJson, is_bare
from shared.cli.output import complain, counted, cut, out, print_json, safe, say, status
from shared.cli.world import connect
from shared.delivery.deps import Deps
from shared.delivery.letters.redrive import Redriven, redrive
from shared.domain.records import DeadLetterRecord, LetterStatus, dead_letter_path
from shared.errors import NotFoundError, SegueError
from shared.ports import Condition, Query

_OPEN: tuple[Condition, ...] = (("status", "==", LetterStatus.OPEN.value),)
Refused = list[tuple[str, SegueError]]
letters = typer.Typer(help="Messages that could not be processed.", invoke_without_command=True)


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.add_typer(letters, name="dead-letters")


@letters.callback()
def _bare_letters(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Listing is what a bare `dead-letters` means."""
    if is_bare(context, as_json=as_json):
        list_letters(as_json=as_json)


@letters.command("list")
def list_letters(
    *,
    all_of_them: Annotated[bool, typer.Option("--all", help="Redriven ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List open dead letters, newest first."""
    found = asyncio.run(_letters(all_of_them=all_of_them))
    if as_json:
        print_json([_public(letter) for letter in found])
    elif found:
        out.print(_table(found))
    else:
        say("no dead letters", style="dim")


async def _letters(*, all_of_them: bool) -> list[DeadLetterRecord]:
    wanted: tuple[Condition, ...] = () if all_of_them else _OPEN
    query = Query("dead_letters", wanted, order_by="buried_at", descending=True, limit=200)
    return [DeadLetterRecord.of(found.data) for found in await connect().store.find(query)]


@letters.command("show")
def show_letter(
    letter_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show a dead letter with its reason, attributes and original bytes."""
    letter, data = asyncio.run(_letter(letter_id))
    if as_json:
        print_json({**_public(letter), "data": data.decode(errors="backslashreplace")})
        return
    say(f"{status(letter.status.value)}  [bold]{letter.letter_id}[/]")
    say(f"  stage   {safe(letter.stage)}")
    say(f"  reason  [red]{safe(letter.error.code)}[/] {safe(letter.error.message)}")
    say(f"  run     {safe(letter.run_id or '-')}  step {safe(letter.step or '-')}")
    for name, text in sorted(letter.attributes.items()):
        say(f"  [dim]{safe(name)}[/] {safe(text)}")
    shown = data[:2000].decode(errors="backslashreplace")
    size = counted(letter.size, "byte")
    say(f"  [dim]{size}{', the first 2000' if len(data) > 2000 else ''}[/]")
    say(safe(shown))


async def _letter(letter_id: str) -> tuple[DeadLetterRecord, bytes]:
    deps = connect()
    found = await deps.store.get(dead_letter_path(letter_id))
    if found is None:
        raise NotFoundError(f"there is no dead letter {letter_id!r}")
    letter = DeadLetterRecord.of(found.data)
    data = await deps.blobs.get(letter.blob) if letter.blob else letter.data
    return letter, data or b""


@letters.command("redrive")
def redrive_letters(
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID…", help="Dead letters, or failed runs.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every open dead letter.")] = False,
    repin: Annotated[
        bool,
        typer.Option("--repin", help="Move the runs to today's version of their flow."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Continue what dead letters stopped, once the cause is gone; finished steps stay finished.

    With --all, one that cannot be continued is told and the others are; the exit code is then 1.
    """
    if bool(letter_ids) == every:
        raise typer.BadParameter("name the dead letters, or say --all")
    redriven, refused = asyncio.run(_redrive(letter_ids, repin=repin))
    _show_redriven(redriven, as_json=as_json)
    for letter_id, error in refused:
        complain(f"[bold red]error:[/] {safe(letter_id)}: {safe(error)}")
    if refused:
        raise typer.Exit(1)


def _show_redriven(redriven: list[Redriven], *, as_json: bool) -> None:
    if as_json:
        print_json([vars(item) for item in redriven])
        return
    for item in redriven:
        what = f"run {item.run_id}: {', '.join(item.steps)}" if item.steps else "its message"
        say(f"[green]sent again[/] {safe(item.letter_id)}  [dim]{safe(what)}[/]")


async def _redrive(letter_ids: list[str] | None, *, repin: bool) -> tuple[list[Redriven], Refused]:
    deps = connect()
    if not letter_ids:
        return await redrive_all(deps, repin=repin)
    return [await redrive(letter_id, deps, repin=repin) for letter_id in letter_ids], []


async def redrive_all(deps: Deps, *, repin: bool) -> tuple[list[Redriven], Refused]:
    """Every open letter: what was sent again, and why the others could not be."""
    redriven: list[Redriven] = []
    refused: Refused = []
    for letter in await deps.store.find(Query("dead_letters", _OPEN)):
        try:
            if await _is_open(letter.name, deps):  # not redriven with another letter of its run
                redriven.append(await redrive(letter.name, deps, repin=repin))
        except SegueError as error:
            refused.append((letter.name, error))
    return redriven, refused


async def _is_open(letter_id: str, deps: Deps) -> bool:
    found = await deps.store.get(dead_letter_path(letter_id))
    return found is not None and found.data["status"] == LetterStatus.OPEN.value


def _table(found: list[DeadLetterRecord]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("dead letter", "stage", "run", "reason"):
        table.add_column(name)
    for letter in found:
        reason = f"[red]{safe(letter.error.code)}[/] {safe(cut(letter.error.message, 120))}"
        table.add_row(letter.letter_id, safe(letter.stage), safe(letter.run_id or "-"), reason)
    return table


def _public(letter: DeadLetterRecord) -> dict[str, Any]:
    return letter.model_dump(mode="json", exclude={"data", "expire_at"})
