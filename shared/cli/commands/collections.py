"""`collections`: what is declared, what is in them, and what is found; filling is the flow's."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from shared.cli.options import AsJson, duration, is_bare
from shared.cli.output import complain, out, print_json, safe, say
from shared.cli.watch import Progress, follow
from shared.cli.world import connect, library
from shared.client.sending import Draft, send
from shared.delivery.deps import Deps
from shared.delivery.outcome import Spent
from shared.delivery.retrieval.searching import retrieve
from shared.domain.retrieval.collection import Collection
from shared.domain.retrieval.records import DocumentRecord, chunks_path, documents_path
from shared.domain.retrieval.searches import Retrieval
from shared.errors import NotFoundError, UsageError
from shared.ports import Query
from shared.runtime.container import build_embedder
from shared.runtime.settings import settings

collections = typer.Typer(help="Documents that flows can search.", invoke_without_command=True)
_SECONDS = 60.0  # for a search
_SHOWN = 160  # characters of a chunk
Name = Annotated[str, typer.Argument(metavar="COLLECTION")]
Wait = Annotated[bool, typer.Option("--wait", help="Until all of it is done.")]


class NoSuchCollectionError(NotFoundError):
    """`segue collections list` shows those that are declared in `prompts/collections`."""


class FileUnreadableError(UsageError):
    """Name text files in UTF-8."""


@dataclass(frozen=True)
class Hit:
    """What `where` options ask for, as `field=value`."""

    field: str
    value: Any

    @classmethod
    def parse(cls, text: str) -> Hit:
        field, equals, value = text.partition("=")
        if not equals or not field:
            raise typer.BadParameter(f"{text!r}: write field=value")
        try:
            return cls(field, json.loads(value))
        except ValueError:
            return cls(field, value)


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.add_typer(collections, name="collections")


@collections.callback()
def _bare(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Listing is what a bare `collections` means."""
    if is_bare(context, as_json=as_json):
        list_collections(as_json=as_json)


@collections.command("list")
def list_collections(*, as_json: AsJson = False) -> None:
    """List collections with how much is in them."""
    found = asyncio.run(_counted(list(library().collections.values())))
    if as_json:
        print_json(found)
        return
    table = _table("collection", "documents", "chunks", "embedding", "")
    for one in found:
        numbers = str(one["documents"]), str(one["chunks"])
        table.add_row(one["collection"], *numbers, one["embedding"], safe(one["description"]))
    out.print(table)


async def _counted(declared: list[Collection]) -> list[dict[str, Any]]:
    deps = connect()
    return [
        {
            "collection": one.collection,
            "description": one.description,
            "embedding": one.embedding,
            "documents": await deps.store.count(_documents(one.collection)),
            "chunks": await deps.store.count(Query(chunks_path(one.collection))),
        }
        for one in declared
    ]


def _documents(name: str) -> Query:
    """Those that are there; of removed ones the digest is empty."""
    return Query(documents_path(name), (("digest", ">", ""),))


@collections.command("show")
def show(name: Name, *, as_json: AsJson = False) -> None:
    """List the documents of a collection."""
    _declared(name)
    records = asyncio.run(_records(name))
    rows: list[dict[str, Any]] = [
        {
            "document": one.name,
            "version": one.digest,
            "chunks": len(one.chunks),
            "tokens": one.tokens,
            "metadata": one.metadata,
            "at": one.at.isoformat().replace("+00:00", "Z"),
            "run_id": one.run_id,
        }
        for one in records
    ]
    if as_json:
        print_json(rows)
        return
    table = _table("document", "chunks", "tokens", "metadata", "as of")
    for row in rows:
        told = ", ".join(f"{key}={value}" for key, value in row["metadata"].items())
        numbers = str(row["chunks"]), str(row["tokens"])
        table.add_row(safe(row["document"]), *numbers, safe(told), row["at"])
    out.print(table)


async def _records(name: str) -> list[DocumentRecord]:
    found = await connect().store.find(_documents(name))
    return sorted((DocumentRecord.of(one.data) for one in found), key=lambda one: one.name)


@collections.command("search")
def search(  # noqa: PLR0913 - what a search can say
    name: Name,
    query: Annotated[str, typer.Argument(metavar="QUERY")],
    *,
    top_k: Annotated[int, typer.Option(min=1, max=50, help="The most chunks.")] = 5,
    where: Annotated[list[str], typer.Option(help="field=value; several times.")] = [],  # noqa: B006 - typer's way
    min_similarity: Annotated[float | None, typer.Option(min=-1, max=1)] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1)] = None,
    as_json: AsJson = False,
) -> None:
    """Show the chunks that are nearest to a query, as a `retrieve` step would find them."""
    collection = _declared(name)
    asked = Retrieval(
        collection=name,
        query="{{ query }}",
        top_k=top_k,
        where={hit.field: hit.value for hit in map(Hit.parse, where)},
        min_similarity=min_similarity,
        max_tokens=max_tokens,
    )
    found = asyncio.run(_search(collection, asked, query))
    if as_json:
        print_json(found)
        return
    for one in found["chunks"]:
        out.print(Text(f"{one['score']:.3f}  {one['document']}  {one['id']}", style="bold"))
        out.print(Text(f"       {' '.join(one['text'].split())[:_SHOWN]}", style="dim"))
    if not found["chunks"]:
        say("nothing found", style="dim")


async def _search(collection: Collection, asked: Retrieval, query: str) -> dict[str, Any]:
    deps = connect()
    deps = replace(deps, embedder=build_embedder(settings()))
    seen = {"query": query}
    return await retrieve(deps, Spent(), asked, collection, seen, seconds=_SECONDS)


@collections.command("put")
def put(
    name: Name,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    *,
    metadata: Annotated[str, typer.Option(help="JSON: what all of them say of themselves.")] = "{}",
    wait: Wait = False,
    timeout: Annotated[str, typer.Option(help="How long --wait waits.")] = "5m",
    as_json: AsJson = False,
) -> None:
    """Publish `document.changed` for each file; its path, as given, is the document's name."""
    collection = _declared(name)
    about = _metadata(collection, metadata)
    drafts = [
        _draft("changed", name, path.as_posix(), text=_text(path), metadata=about) for path in files
    ]
    _publish(drafts, wait=wait, timeout=timeout, as_json=as_json)


@collections.command("remove")
def remove(
    name: Name,
    documents: Annotated[list[str], typer.Argument(metavar="DOCUMENT...")],
    *,
    wait: Wait = False,
    timeout: Annotated[str, typer.Option(help="How long --wait waits.")] = "5m",
    as_json: AsJson = False,
) -> None:
    """Publish `document.removed` for each document."""
    _declared(name)
    drafts = [_draft("removed", name, document) for document in documents]
    _publish(drafts, wait=wait, timeout=timeout, as_json=as_json)


def _draft(what: str, collection: str, document: str, **more: Any) -> Draft:
    data = {"collection": collection, "document": document, **more}
    return Draft(f"document.{what}", json.dumps(data, ensure_ascii=False).encode())


def _publish(drafts: list[Draft], *, wait: bool, timeout: str, as_json: bool) -> None:
    rows = asyncio.run(_sent(drafts, wait=wait, limit=duration(timeout)))
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            say(f"{safe(row['type'])} [bold]{safe(row['document'])}[/] {safe(row['outcome'])}")
    failed = [row for row in rows if row["failed"]]
    if failed:
        complain(f"[bold red]error:[/] {len(failed)} of {len(rows)} did not succeed")
        raise typer.Exit(1)


async def _sent(drafts: list[Draft], *, wait: bool, limit: float) -> list[dict[str, Any]]:
    deps = connect()
    return list(await asyncio.gather(*(_one(draft, deps, wait, limit) for draft in drafts)))


async def _one(draft: Draft, deps: Deps, wait: bool, limit: float) -> dict[str, Any]:  # noqa: FBT001
    event = (await send(draft, deps)).event
    data: Any = event.data
    row = {"type": event.type, "document": data["document"], "event_id": event.id}
    if not wait:
        return {**row, "outcome": "published", "failed": False}
    progress = Progress()
    async for progress in follow(event, deps, seconds=limit):  # noqa: B007 - the last one counts
        continue
    runs = progress.runs or []
    outcomes = [(run.get("outputs") or {}).get("outcome") for run in runs]
    told = next((one for one in outcomes if one), "failed" if runs else "not taken by any flow")
    return {**row, "outcome": told, "failed": not progress.succeeded, "runs": runs}


def _declared(name: str) -> Collection:
    found = library().collections
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise NoSuchCollectionError(f"there is no collection {name!r}; there are: {known}")
    return found[name]


def _metadata(collection: Collection, given: str) -> dict[str, Any]:
    try:
        metadata = json.loads(given)
    except ValueError as error:
        raise typer.BadParameter(f"--metadata is not JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise typer.BadParameter("--metadata is a JSON object")
    problem = collection.metadata_problem(metadata)
    if problem is not None:
        raise typer.BadParameter(problem)
    return metadata


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadableError(f"{path}: {error}") from error


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table
