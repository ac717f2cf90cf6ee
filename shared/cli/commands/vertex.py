"""`prompts push --to vertex` and `prompts pull --from vertex`: copies to and from Vertex AI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from shared.cli.commands.flows import sound_library
from shared.cli.options import AsJson
from shared.cli.output import out, print_json, safe, say
from shared.cli.registry import ReferenceInvalidError, file_text
from shared.cli.world import connect_vertex
from shared.domain.prompts.refs import is_name
from shared.domain.version import PromptVersion
from shared.errors import UsageError
from shared.prompting.library import read_partials
from shared.prompting.prompt_file import SUFFIX
from shared.runtime.settings import settings

if TYPE_CHECKING:
    from shared.adapters.vertex_prompts import VertexVersion

Elsewhere = Literal["vertex"]
Location = Annotated[
    str | None,
    typer.Option("--location", help="Of Vertex AI; else GOOGLE_CLOUD_LOCATION, or us-central1."),
]


class NoLabelsThereError(UsageError):
    """Vertex AI keeps versions and no labels: push without --label, --message and --by."""


def require_no_labels(*about: str | None) -> None:
    """Raises NoLabelsThereError where anything is said that Vertex AI does not keep."""
    if any(about):
        raise NoLabelsThereError("there is a --label, --message or --by")


def push_to_vertex(
    prompts: Sequence[PromptVersion], location: str | None, *, as_json: bool
) -> None:
    """Has Vertex AI keep these prompts, each as a version of what has its name there."""
    kept = connect_vertex(location)
    done = [(prompt, kept.push(prompt)) for prompt in prompts]
    if as_json:
        print_json([_pushed(prompt, where) for prompt, where in done])
        return
    for prompt, where in done:
        new = "" if where.is_new else "  [dim]was there already[/]"
        told = f"{safe(prompt.name)}: vertex {where.prompt_id}, version {where.version_id}"
        say(f"{told} {prompt.version}{new}")


def pull(  # noqa: PLR0913 - what is pulled, and what becomes of it
    name: Annotated[str, typer.Argument(metavar="NAME")],
    *,
    source: Annotated[Elsewhere, typer.Option("--from", help="Where it is kept.")] = "vertex",
    number: Annotated[str | None, typer.Option("--id", help="Its number, if not by name.")] = None,
    version: Annotated[str | None, typer.Option(help="The latest, unless given.")] = None,
    location: Location = None,
    write: Annotated[bool, typer.Option("--write", help="Into templates/, not shown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a prompt that Vertex AI keeps as the file NAME would have it, or write that file.

    What is not kept there (schemas, description) is as in the copy on disk.
    """
    del source  # there is no other
    if not is_name(name):
        raise ReferenceInvalidError(f"{name!r} is no name of a prompt")
    own = sound_library().prompts.get(name)
    partials = read_partials(settings().prompts)
    kept = connect_vertex(location)
    found = kept.pull(name, own, partials, prompt_id=number, version_id=version)
    file = settings().prompts / "templates" / f"{name}{SUFFIX}"
    if write:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file_text(found), "utf-8")
    if as_json:
        print_json(_pulled(found, own, file if write else None))
    elif write:
        same = "  [dim]as it was[/]" if own is not None and own.version == found.version else ""
        say(f"{safe(name)}: {found.version} in {safe(str(file))}{same}")
    else:
        out.print(safe(file_text(found)), soft_wrap=True, end="")


def _pushed(prompt: PromptVersion, where: VertexVersion) -> dict[str, Any]:
    kept = {"prompt_id": where.prompt_id, "version_id": where.version_id}
    return {"name": prompt.name, "version": prompt.version, "vertex": kept, "is_new": where.is_new}


def _pulled(found: PromptVersion, own: PromptVersion | None, file: Path | None) -> dict[str, Any]:
    return {
        "name": found.name,
        "version": found.version,
        "on_disk": own.version if own is not None else None,
        "text": file_text(found),
        "written": str(file) if file is not None else None,
    }
