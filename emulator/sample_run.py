"""The acts of `make demo`: events published, their runs watched live, their outcomes shown.

Slow to import, as it brings clients: import it while the system starts.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from emulator import acts
from emulator.acts import Act
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
from shared.errors import SegueError
from shared.runtime.container import build_deps
from shared.runtime.settings import settings
from shared.runtime.stage_table import read_stages

_LIMIT = 60.0
_TOLD = 160  # characters of an event's data
_SHOWN = ("route", "compose", "generate", "act")


class CommandFailedError(SegueError):
    """A command of the demo has failed: it has said why."""


class Show:
    """Plays acts on a running system."""

    def __init__(self, state: State) -> None:
        os.environ.update(state.environment)
        settings.cache_clear()
        self._state = state
        self._deps = build_deps("route", settings())

    async def play(self, act: Act, event: acts.Event) -> Progress | None:
        """Say and do what comes first, then publish and show what becomes of it."""
        if act.say is not None:
            say(f"\n{safe(act.say)}")
        for command in act.run:
            await self._run(command)
        return await self._publish_and_watch(event) if act.publish else None

    async def _run(self, command: Sequence[str]) -> None:
        """A command as one would type it. Raises CommandFailedError."""
        say(f"\n[bold]$ segue {safe(shlex.join(command))}[/]")
        arguments = (sys.executable, "-m", "shared.cli", *command)
        process = await asyncio.create_subprocess_exec(*arguments)
        if code := await process.wait():
            raise CommandFailedError(f"segue {shlex.join(command)} has exited with {code}")

    async def _publish_and_watch(self, about: acts.Event) -> Progress:
        draft = Draft(about.type, json.dumps(about.data).encode())
        event = (await send(draft, self._deps)).event
        topic = events_topic(self._state)
        say(f"published [bold]{safe(event.type)}[/] to topic {safe(topic)}, id {safe(event.id)}")
        say(f"  [dim]{safe(_shortened(about.data))}[/]\n")
        return await _watch(event, self._deps, Path(self._state.log))


def _shortened(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False)
    return text if len(text) <= _TOLD else f"{text[:_TOLD]} …"


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


def show_what_happened(shown: Sequence[Progress], mail: list[dict[str, Any]], log: Path) -> None:
    """Show the mail that was sent and the last run's trace, or what went wrong."""
    if not all(progress.succeeded for progress in shown):
        complain("[bold red]a run did not succeed[/]")
        _show_errors(read_entries(log))
        return
    for item in mail:
        out.print(_letter(item))
    if len(shown) > 1:
        out.print(_compared(shown))
    correlation = (shown[-1].runs or [{}])[0].get("correlation_id", "")
    say(f"\nthe same as one story, [bold]segue trace {safe(correlation)}[/]:")
    out.print(waterfall(story(read_entries(log), correlation)))


def _letter(item: dict[str, Any]) -> RenderableType:
    text = f"to {item.get('to')}\n\n{str(item.get('text', '')).strip()}"
    title = f"mail in the local sink: {item.get('subject')}"
    panel = Panel(
        Text(plain(text)),
        title=Text(plain(title)),
        border_style="magenta",
        width=min(out.width, 100),
    )
    return Padding(panel, (1, 0, 0, 0))


def _compared(shown: Sequence[Progress]) -> RenderableType:
    """What came out, run by run."""
    runs = [run for progress in shown for run in progress.runs or ()]
    names = list(dict.fromkeys(name for run in runs for name in run["outputs"] or {}))
    table = Table("run", *names, title="what came out", title_justify="left", box=SIMPLE)
    for run in runs:
        values = ((run["outputs"] or {}).get(name, "") for name in names)
        table.add_row(run["run_id"], *(plain(_shortened(value)) for value in values))
    return table


def _show_errors(entries: Any) -> None:
    for entry in entries:
        assert isinstance(entry, Entry)
        if entry.reason is not None:
            complain(f"  {safe(entry.stage)}: {safe(entry.reason[1])}")
