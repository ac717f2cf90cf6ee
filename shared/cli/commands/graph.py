"""`flows graph`: a flow drawn, with how far a run of it has come where one is named."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from shared.cli.commands.flows import NoSuchFlowError, sound_library
from shared.cli.graph.mermaid import mermaid_of
from shared.cli.graph.model import Graph
from shared.cli.graph.page import page_of
from shared.cli.graph.progress import with_run
from shared.cli.graph.reading import graph_of
from shared.cli.graph.svg import svg_of
from shared.cli.options import AsJson
from shared.cli.output import print_json, safe, say
from shared.cli.world import connect
from shared.delivery.runs.report import report_of
from shared.errors import UsageError


class Format(StrEnum):
    """What a flow is drawn as."""

    SVG = "svg"
    HTML = "html"
    MERMAID = "mermaid"


_WRITERS = {Format.SVG: svg_of, Format.HTML: page_of, Format.MERMAID: mermaid_of}
_ENDINGS = {
    ".svg": Format.SVG,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".mmd": Format.MERMAID,
    ".mermaid": Format.MERMAID,
}


class NotItsRunError(UsageError):
    """`segue runs --flow FLOW` lists a flow's runs; with --run alone, the flow is the run's own."""


class UnwritableError(UsageError):
    """Name a file in a folder that is there and may be written to, or - for standard output."""


def add_to(flows: typer.Typer) -> None:
    """Registers the command with its group."""
    flows.command("graph")(graph)


def graph(
    flow: Annotated[str | None, typer.Argument(metavar="FLOW", show_default=False)] = None,
    *,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="Show how far this run has come.")
    ] = None,
    written_as: Annotated[
        Format | None, typer.Option("--format", help="Else what FILE ends in, or mermaid.")
    ] = None,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="Or - for standard output.")
    ] = "-",
    as_json: AsJson = False,
) -> None:
    """Draw a flow as SVG, as a page (HTML) or as Mermaid text; a run in the version it runs on."""
    if as_json and (written_as is not None or out != "-"):
        raise typer.BadParameter("--json prints nodes and edges; it takes no --format and no --out")
    drawn_as = _format(written_as, out)
    if run is not None:
        drawn = asyncio.run(_of_run(run, flow))
    elif flow is not None:
        drawn = _of_flow(flow)
    else:
        raise typer.BadParameter("name a FLOW, or a run with --run")
    if as_json:
        print_json(_as_json(drawn))
    else:
        _write(_WRITERS[drawn_as](drawn), out)


def _format(written_as: Format | None, out: str) -> Format:
    if written_as is not None:
        return written_as
    if out == "-":
        return Format.MERMAID
    ending = Path(out).suffix.lower()
    if ending not in _ENDINGS:
        raise typer.BadParameter(f"name a FILE in {', '.join(_ENDINGS)}, or say --format")
    return _ENDINGS[ending]


def _of_flow(flow: str) -> Graph:
    found = sound_library().flows.get(flow)
    if found is None:
        raise NoSuchFlowError(f"there is no flow {flow!r}")
    return graph_of(found)


async def _of_run(run_id: str, flow: str | None) -> Graph:
    """In the version that the run is pinned to. Raises NotFoundError, VersionMissingError."""
    deps = connect()
    report = await report_of(run_id, deps)
    if flow is not None and report["flow"] != flow:
        raise NotItsRunError(f"run {run_id!r} is one of flow {report['flow']!r}, not {flow!r}")
    version = await deps.flows.pinned(report["flow"], report["flow_version"])
    return with_run(graph_of(version), report)


def _as_json(drawn: Graph) -> dict[str, Any]:
    """What the graph is, whatever it is drawn as."""
    fields = asdict(drawn)
    fields["edges"] = fields.pop("links")
    return fields


def _write(text: str, out: str) -> None:
    if out == "-":
        sys.stdout.write(text)
        return
    try:
        Path(out).write_text(text, "utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnwritableError(f"cannot write {out}: {reason}") from error
    say(f"wrote {safe(out)}")
