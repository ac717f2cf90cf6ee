"""`make demo`: starts everything, publishes a ticket, shows its run live, stops everything."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from emulator.system import LocalSystem, Options
from shared.cli.output import safe, say

# What it takes to follow a run, imported while the system starts.
_NEEDED = ("emulator.sample_run", "shared.adapters.firestore_store", "shared.adapters.pubsub_bus")


async def demo() -> int:
    """Exit code 0 where the sample run succeeded."""
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

            progress = await sample_run.publish_and_watch(state)
            sample_run.show_what_happened(progress, mail, Path(state.log))
    say("\n[dim]everything is stopped again[/]")
    _show_next()
    return 0 if progress.succeeded else 1


def _show_next() -> None:
    say("\nlook further:")
    for command, what in (
        ("make up", "keep it running; then, in another terminal with .venv/bin on the PATH:"),
        ('segue publish joke.requested --data \'{"topic": "pirates"}\' --wait', ""),
        ("segue runs", "what has run"),
        ("segue show RUN", "one run, with every answer, token and cent"),
        ("segue flows list", "what starts on which event"),
    ):
        say(f"  [bold]{safe(command)}[/]  [dim]{what}[/]")
