"""`segue up` on a terminal: says where everything is, then one line for each stage attempt."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from emulator.system import LocalSystem, Options
from shared.cli.output import cut, money, out, safe, say
from shared.cli.traces import Entry, entry_of
from shared.client.local_state import State

_MARK = {"ack": "[green]✓[/]", "nack": "[yellow]↻[/]", "bury": "[red]✗[/]"}
_POLL = 0.1


async def run_until_stopped(options: Options) -> int:
    """Runs until SIGINT or SIGTERM. Returns the exit code."""
    stop = asyncio.Event()
    options = replace(
        options, on_step=lambda step: say(f"  [dim]{safe(step)}[/]"), on_item=show_item
    )
    with _signals(stop):
        async with LocalSystem(options) as state:
            show_addresses(state)
            lines = asyncio.create_task(_print_lines(Path(state.log)))
            await stop.wait()
            lines.cancel()
            await asyncio.gather(lines, return_exceptions=True)
            say("stopping …", style="dim")
    return 0


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def show_addresses(state: State) -> None:
    """Where everything is, and what to do next."""
    say("[bold green]Segue is up[/]")
    say(f"  events     POST {state.urls['ingest']}/events, or topic {events_topic(state)}")
    say(f"  webhooks   POST {state.urls['ingest']}/hooks/<source>")
    say(f"  console    GET {state.urls['console']}/api/runs, with the token of `segue env`")
    say(f"  mail+slack {state.urls['sink']}/outbox")
    if "model" in state.urls:
        say(f"  model      stand-in at {state.urls['model']}")
    say('  clients    eval "$(segue env)"')
    say('  try        segue publish joke.requested --data \'{"topic": "pirates"}\' --wait')


def events_topic(state: State) -> str:
    """The entry topic, as any Pub/Sub client names it."""
    return f"{state.environment['SEGUE_PREFIX']}-events"


def show_item(item: dict[str, Any]) -> None:
    """One line for what reached the sink."""
    to = item.get("to") or item.get("channel") or item.get("path") or ""
    about = item.get("subject") or item.get("text") or ""
    say(f"  [magenta]✉[/] {safe(item['kind'])} to {safe(to)}: {safe(str(about)[:100])}")


async def _print_lines(log: Path) -> None:
    async for entry in tail(log, from_start=False):
        if entry.stage != "sweep":
            out.print(line_of(entry))


def line_of(entry: Entry) -> str:
    """One attempt of a stage on one line."""
    step = entry.labels.get("step") or entry.labels.get("event_type", "")
    code, message = entry.reason or ("", "")
    cost = money(entry.cost_usd) if entry.cost_usd else ""
    return (
        f"  {_MARK.get(entry.disposition, ' ')} {safe(entry.stage):<9}"
        f" {safe(step):<28} {entry.duration_ms:6.0f} ms"
        f"  [dim]{'  '.join(filter(None, (safe(entry.outcome), cost)))}[/]"
        + (f"  [red]{safe(code)}[/] {safe(cut(message, 160))}" if entry.reason else "")
    )


async def tail(log: Path, *, from_start: bool) -> AsyncIterator[Entry]:
    """Stage attempts as they are logged, for ever."""
    with log.open("rb") as lines:
        if not from_start:
            lines.seek(0, 2)
        rest = b""
        while True:
            chunk = lines.read()
            if not chunk:
                await asyncio.sleep(_POLL)
                continue
            *whole, rest = (rest + chunk).split(b"\n")
            for raw in whole:
                entry = entry_of(raw)
                if entry is not None:
                    yield entry
