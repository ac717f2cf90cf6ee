"""The sample event of `make demo`: published, its run watched live, its outcome shown.

Slow to import, as it brings clients: import it while the system starts.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from emulator.foreground import events_topic, tail
from shared.cli.output import LiveView, complain, out, plain, safe, say
from shared.cli.traces import Entry, read_entries, story
from shared.cli.views import run_view
from shared.cli.watch import Progress, follow
from shared.cli.waterfall import waterfall
from shared.client.local_state import State
from shared.client.sending import Draft, send
from shared.delivery.deps import Deps
from shared.domain.events import Event
from shared.runtime.container import build_deps
from shared.runtime.settings import settings
from shared.runtime.stage_table import read_stages

SAMPLE = Path(__file__).with_name("sample_ticket.json")
EVENT_TYPE = "support.ticket.created"
_LIMIT = 60.0
_SHOWN = ("route", "compose", "generate", "act")


async def publish_and_watch(state: State) -> Progress:
    """Publish the sample event, show its run until it has ended."""
    os.environ.update(state.environment)
    settings.cache_clear()
    deps = build_deps("route", settings())
    event = (await send(Draft(EVENT_TYPE, SAMPLE.read_bytes()), deps)).event
    topic = events_topic(state)
    say(f"published [bold]{event.type}[/] to topic {safe(topic)}, id {safe(event.id)}")
    say(f'  [dim]"{safe(_body(event))}"[/]\n')
    return await _watch(event, deps, Path(state.log))


def _body(event: Event) -> str:
    return str(event.data["body"]) if isinstance(event.data, dict) else ""


async def _watch(event: Event, deps: Deps, log: Path) -> Progress:
    seen: Counter[str] = Counter()
    watching = asyncio.create_task(_count_stages(log, seen))
    progress = Progress()
    shown = LiveView()
    async for progress in follow(event, deps, seconds=_LIMIT):
        shown.show(_picture(seen, progress))
    shown.close()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return progress


async def _count_stages(log: Path, seen: Counter[str]) -> None:
    async for entry in tail(log, from_start=True):
        seen[entry.stage] += 1


def _picture(seen: Counter[str], progress: Progress) -> RenderableType:
    """The stages, lit where a message has passed, above the run's steps."""
    lights = Text("  event ", style="bold")
    for stage in (name for name in read_stages().stages if name in _SHOWN):
        lights.append(" → ", style="dim")
        count = seen[stage]
        label = f" {stage} {count or ''}".rstrip() + " "
        lights.append(label, style="bold black on green" if count else "dim reverse")
    runs = [Padding(run_view(run), (1, 0, 0, 2)) for run in progress.runs or ()]
    return Group(lights, *runs)


def show_what_happened(progress: Progress, mail: list[dict[str, Any]], log: Path) -> None:
    """Show the mail that was sent and the run's trace, or what went wrong."""
    if not progress.succeeded:
        complain("[bold red]the sample run did not succeed[/]")
        _show_errors(read_entries(log))
        return
    for item in mail:
        out.print()
        text = f"to {item.get('to')}\n\n{str(item.get('text', '')).strip()}"
        title = f"mail in the local sink: {item.get('subject')}"
        out.print(
            Panel(
                Text(plain(text)),
                title=Text(plain(title)),
                border_style="magenta",
                width=min(out.width, 100),
            )
        )
    correlation = (progress.runs or [{}])[0].get("correlation_id", "")
    say(f"\nthe same as one story, [bold]segue trace {safe(correlation)}[/]:")
    out.print(waterfall(story(read_entries(log), correlation)))


def _show_errors(entries: Any) -> None:
    for entry in entries:
        assert isinstance(entry, Entry)
        if entry.reason is not None:
            complain(f"  {safe(entry.stage)}: {safe(entry.reason[1])}")
