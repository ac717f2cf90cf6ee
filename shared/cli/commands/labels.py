"""`prompts push|pull|label|rollback`: what changes the registry, and with it what new runs say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from shared.cli.commands.flows import sound_library
from shared.cli.commands.prompts import told_of_move
from shared.cli.commands.vertex import (
    Elsewhere,
    Location,
    pull,
    push_to_vertex,
    require_no_labels,
)
from shared.cli.options import AsJson
from shared.cli.output import print_json, safe, say
from shared.cli.registry import NoSuchPromptError, by, changes, pushed, require_fit
from shared.domain.prompts.records import LabelMove
from shared.domain.prompts.refs import PRODUCTION, PromptRef
from shared.domain.version import PromptVersion
from shared.errors import UsageError
from shared.prompting.library import Library, read_partials
from shared.prompting.prompt_file import read_prompt
from shared.prompting.pushing import Pushed
from shared.prompting.source import SourceProblems
from shared.runtime.settings import settings

Name = Annotated[str, typer.Argument(metavar="NAME")]
Author = Annotated[str | None, typer.Option("--by", help="Who does it; else git's user.name.")]


class NothingToPushError(UsageError):
    """Name a prompt, or say --all."""


class PromptFileError(UsageError):
    """Name a file of UTF-8 text: a head between lines of ---, then the template."""


class VersionInvalidError(UsageError):
    """Give a number, a content hash or another label; `segue prompts show NAME` lists them."""


def add_to(prompts: typer.Typer) -> None:
    """Registers the commands."""
    prompts.command("push")(push)
    prompts.command("pull")(pull)
    prompts.command("label")(move_label)
    prompts.command("rollback")(rollback)


def push(  # noqa: PLR0913 - what is pushed, and what is told of it
    name: Annotated[str | None, typer.Argument(metavar="NAME")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All prompts on disk.")] = False,
    file: Annotated[Path | None, typer.Option(help="In place of the copy on disk.")] = None,
    message: Annotated[str, typer.Option(help="Why there is a new version.")] = "",
    label: Annotated[str | None, typer.Option(help="Point this label at it.")] = None,
    author: Author = None,
    to: Annotated[Elsewhere | None, typer.Option(help="In place of the registry.")] = None,
    location: Location = None,
    as_json: AsJson = False,
) -> None:
    """Put the copy on disk into the registry as a new version; the same content is no new one."""
    if (name is None) is not everything or (file is not None and everything):
        raise NothingToPushError("there is either a NAME, with a --file or without, or --all")
    found = sound_library()
    chosen = _chosen(name, file, found)
    if to is not None:
        require_no_labels(label, message, author)
        push_to_vertex(chosen, location, as_json=as_json)
    else:
        _push_to_registry(chosen, found, (label, message, author), as_json=as_json)


def _push_to_registry(
    chosen: Sequence[PromptVersion],
    found: Library,
    about: tuple[str | None, str, str | None],
    *,
    as_json: bool,
) -> None:
    label, message, author = about
    for prompt in chosen:
        if label is not None:
            require_fit(prompt, label, found)

    async def push_all() -> list[Pushed]:
        registry = changes()
        return [
            await registry.push(prompt, by(author), message=message, label=label)
            for prompt in chosen
        ]

    done = asyncio.run(push_all())
    if as_json:
        print_json([_pushed(one) for one in done])
        return
    for one in done:
        new = "" if one.is_new else "  [dim]was there already[/]"
        say(f"{safe(one.version.name)}: version {one.version.number} {one.version.hash}{new}")
        if one.move is not None:
            say(f"  {told_of_move(one.move)}")


def move_label(
    name: Name,
    label: Annotated[str, typer.Argument(metavar="LABEL")],
    version: Annotated[str, typer.Argument(metavar="VERSION")],
    *,
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Point a label at a version; runs opened from then on get it, within seconds."""
    found = sound_library()

    async def move() -> LabelMove | None:
        try:
            ref = PromptRef.read(f"{name}@{version}")
        except ValueError as error:
            raise VersionInvalidError(str(error)) from error
        chosen = await pushed(ref)
        require_fit(chosen.prompt, label, found)
        return await changes().move(name, label, chosen.number, by(author))

    _tell(name, asyncio.run(move()), as_json=as_json)


def rollback(
    name: Name,
    label: Annotated[str, typer.Argument(metavar="LABEL")] = PRODUCTION,
    *,
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Point a label at what it pointed at before; where that was nothing, the bundled copy."""

    async def back() -> LabelMove:
        return await changes().roll_back(name, label, by(author))

    _tell(name, asyncio.run(back()), as_json=as_json)


def _tell(name: str, move: LabelMove | None, *, as_json: bool) -> None:
    if as_json:
        moved = move.model_dump(mode="json") if move is not None else None
        print_json({"name": name, "move": moved})
    elif move is None:
        say(f"{safe(name)}: it is there already", style="dim")
    else:
        say(f"{safe(name)}: {told_of_move(move)}")


def _chosen(name: str | None, file: Path | None, found: Library) -> list[PromptVersion]:
    if name is None:
        return list(found.prompts.values())
    return [_on_disk(name, found) if file is None else _in_file(name, file)]


def _on_disk(name: str, found: Library) -> PromptVersion:
    if name not in found.prompts:
        raise NoSuchPromptError(f"there is no prompt {name!r} on disk")
    return found.prompts[name]


def _in_file(name: str, file: Path) -> PromptVersion:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptFileError(f"{file}: {error}") from error
    try:
        return read_prompt(name, text, str(file), read_partials(settings().prompts))
    except SourceProblems as error:
        raise PromptFileError(str(error)) from error


def _pushed(one: Pushed) -> dict[str, Any]:
    version = one.version.model_dump(mode="json", exclude={"prompt"})
    move = one.move.model_dump(mode="json") if one.move is not None else None
    return {**version, "is_new": one.is_new, "move": move}
