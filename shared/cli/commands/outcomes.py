"""`outcome`: how well a run did, as a person or a script says."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from shared.cli.options import AsJson
from shared.cli.output import print_json, safe, say
from shared.cli.world import connect
from shared.client.commanding import outcome as send_outcome
from shared.client.sending import Sent


def add_to(app: typer.Typer) -> None:
    """Registers the command."""
    app.command()(outcome)


def outcome(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What is judged, e.g. helpful.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="A number, true or false.")],
    *,
    by: Annotated[str | None, typer.Option(help="Who says it, e.g. an e-mail address.")] = None,
    as_json: AsJson = False,
) -> None:
    """Record how well a run did; of one name, the latest value counts."""
    given = _read(value)
    sent = asyncio.run(_sent(run_id, name, given, by))
    if as_json:
        about = {"run_id": run_id, "name": name, "value": given, "by": by}
        print_json({**about, "event_id": sent.event.id})
    else:
        say(f"recorded {safe(name)} = {given} of [bold]{safe(run_id)}[/]")


async def _sent(run_id: str, name: str, value: float, by: str | None) -> Sent:
    return await send_outcome(run_id, name, value, by, connect())


def _read(text: str) -> float:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, bool | int | float):
        raise typer.BadParameter(f"VALUE is a number, true or false, not {text!r}")
    return value
