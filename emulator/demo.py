"""`make demo`: starts everything, plays a flow's acts, shows its runs live, stops everything."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from emulator.acts import acts_of, event_of
from emulator.system import LocalSystem, Options
from shared.cli.output import safe, say

# What it takes to follow a run, imported while the system starts.
_NEEDED = ("emulator.sample_run", "shared.adapters.firestore_store", "shared.adapters.pubsub_bus")


async def demo(flow: str) -> int:
    """Exit code 0 where every run succeeded."""
    acts, event = acts_of(flow), event_of(flow)
    mail: list[dict[str, Any]] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="segue-demo-") as folder:
        say("[bold]Segue[/] starts a whole event pipeline on this machine:")
        options = Options(
            directory=Path(folder),
            on_step=lambda step: say(f"  [green]✓[/] {safe(step)}"),
            on_item=mail.append,
            imports=_NEEDED,
        )
        async with LocalSystem(options) as state:
            say(f"  [green]✓[/] ready after {time.monotonic() - started:.1f} s\n")
            from emulator import sample_run  # noqa: PLC0415 - imported above

            show = sample_run.Show(state)
            played = [await show.play(act, event) for act in acts]
            runs = [progress for progress in played if progress is not None]
            sample_run.show_what_happened(runs, mail, Path(state.log))
    say("\n[dim]everything is stopped again[/]")
    _show_next()
    return 0 if all(progress.succeeded for progress in runs) else 1


def _show_next() -> None:
    say("\nlook further:")
    for command, what in (
        (
            "make demo FLOW=reassign",
            "an agent with tools, driven by prompts that change as it runs",
        ),
        ("make up", "keep it running; then, in another terminal with .venv/bin on the PATH:"),
        ('segue publish joke.requested --data \'{"topic": "pirates"}\' --wait', ""),
        ("segue runs", "what has run"),
        ("segue show RUN", "one run, with every answer, token and cent"),
        ("segue flows list", "what starts on which event"),
    ):
        say(f"  [bold]{safe(command)}[/]  [dim]{what}[/]")
