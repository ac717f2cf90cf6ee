"""`signal`, `approve` and `reject`: what runs wait for people to say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any

import typer

from shared.cli.options import AsJson, duration
from shared.cli.output import out, print_json, safe, say
from shared.cli.sending import read_data
from shared.cli.world import connect
from shared.client.commanding import decide
from shared.client.commanding import signal as send_signal
from shared.client.local_state import STATE_DIR, read_state
from shared.client.sending import Sent
from shared.delivery.commands.commanding import decision
from shared.domain.links import ApprovalLink, sign
from shared.errors import UsageError
from shared.runtime.settings import settings

RunId = Annotated[str, typer.Argument(metavar="RUN")]
Step = Annotated[str, typer.Argument(metavar="STEP", help="The step that waits for it.")]
By = Annotated[str | None, typer.Option(help="Who says it, e.g. an e-mail address.")]
Comment = Annotated[str | None, typer.Option(help="Why; kept with the step.")]


class LinkSecretMissingError(UsageError):
    """Set SEGUE_LINK_SECRET to what `ingest` has."""


class IngestUnknownError(UsageError):
    """Give its address with --url or in SEGUE_INGEST_URL."""


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command()(signal)
    app.command()(approve)
    app.command()(reject)
    app.command("approve-link")(approve_link)


def signal(
    run_id: RunId,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signal's name.")],
    *,
    data: Annotated[str, typer.Option(help="JSON, @file, or - for standard input.")] = "null",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Tell a run what one of its steps waits for; one that is early is kept."""
    given = json.loads(read_data(data) or b"null")
    sent = asyncio.run(_signal(run_id, name, given, by))
    _told(sent, {"run_id": run_id, "signal": name}, f"signalled {name}", as_json=as_json)


def approve(  # noqa: PLR0913 - what is decided, and by whom
    run_id: RunId,
    step: Step,
    *,
    by: By = None,
    comment: Comment = None,
    usd: Annotated[
        float | None, typer.Option(min=0, help="Of a step that asks for money: so much more.")
    ] = None,
    tokens: Annotated[int | None, typer.Option(min=0, help="The same, in tokens.")] = None,
    as_json: AsJson = False,
) -> None:
    """Approve what a step waits for; one that asks for money gets what it lacks, or more."""
    named = {"usd": usd, "tokens": tokens}
    more = {name: value for name, value in named.items() if value is not None}
    _decide(run_id, step, by, comment, approved=True, as_json=as_json, more=more)


def reject(
    run_id: RunId, step: Step, *, by: By = None, comment: Comment = None, as_json: AsJson = False
) -> None:
    """Reject what a step waits for: the step fails."""
    _decide(run_id, step, by, comment, approved=False, as_json=as_json)


def approve_link(
    run_id: RunId,
    step: Step,
    *,
    by: Annotated[str, typer.Option(help="Who decides; the link says so for them.")],
    expires: Annotated[str, typer.Option(help="How long it can be used.")] = "7d",
    url: Annotated[
        str | None, typer.Option(help="Where ingest is; else SEGUE_INGEST_URL, or the local one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a signed link by which somebody approves or rejects. Whoever has it can use it."""
    until = datetime.now(UTC) + timedelta(seconds=duration(expires))
    asyncio.run(_require_decidable(run_id, step, by))
    secrets = settings().gate().link_secrets
    if not secrets:
        raise LinkSecretMissingError("links cannot be signed")
    token = sign(ApprovalLink(run_id, step, by, until.replace(microsecond=0)), secrets[0])
    link = f"{_ingest(url)}/approvals/{token}"
    if as_json:
        print_json({"run_id": run_id, "step": step, "by": by, "link": link})
    else:
        out.print(link, soft_wrap=True, markup=False, highlight=False)


def _ingest(url: str | None) -> str:
    state = read_state(STATE_DIR)
    local = state.urls.get("ingest") if state is not None else None
    address = url or settings().ingest_url or local
    if address is None:
        raise IngestUnknownError("it is not known where ingest is")
    return address.rstrip("/")


def _decide(  # noqa: PLR0913 - what is decided, and by whom
    run_id: str,
    step: str,
    by: str | None,
    comment: str | None,
    *,
    approved: bool,
    as_json: bool,
    more: Mapping[str, float] = MappingProxyType({}),
) -> None:
    sent = asyncio.run(_decided(run_id, step, by, comment, approved=approved, more=more))
    about = {"run_id": run_id, "step": step, "approved": approved, "by": by, **more}
    _told(sent, about, f"{'approved' if approved else 'rejected'} {step}", as_json=as_json)


def _told(sent: Sent, about: dict[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        print_json({**about, "event_id": sent.event.id})
    else:
        say(f"{safe(what)}: [bold]{safe(about['run_id'])}[/]")
        say(f"  segue show {safe(about['run_id'])}", style="dim")


# Google's clients belong to the loop that they are made in.


async def _signal(run_id: str, name: str, data: Any, by: str | None) -> Sent:
    return await send_signal(run_id, name, data, by, connect())


async def _decided(
    run_id: str,
    step: str,
    by: str | None,
    comment: str | None,
    *,
    approved: bool,
    more: Mapping[str, float],
) -> Sent:
    about = {"approved": approved, "by": by, "comment": comment, "more": more}
    return await decide(run_id, step, ports=connect(), **about)  # type: ignore[arg-type]


async def _require_decidable(run_id: str, step: str, by: str) -> None:
    await decision(run_id, step, approved=True, comment=None, by=by, sight=connect())
