"""`python -m emulator up|demo|simulate`: the local system in the foreground, or simulated."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from emulator.demo import demo
from emulator.engine import EngineError
from emulator.engine_choice import EngineName
from emulator.foreground import run_until_stopped
from emulator.simulation import command
from emulator.system import Options
from shared.cli.output import complain, safe
from shared.client.local_state import STATE_DIR
from shared.errors import SegueError, UsageError
from shared.runtime.settings import settings


def main() -> int:
    """Exit code: 0 done, 1 it failed, 2 bad usage."""
    parser = argparse.ArgumentParser(prog="python -m emulator")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start everything and keep it running")
    up.add_argument("--port", type=int, default=8080)
    up.add_argument("--engine", type=EngineName, choices=list(EngineName), default=EngineName.AUTO)
    up.add_argument("--data-dir", type=Path)
    up.add_argument("--isolated", action="store_true")
    shown = commands.add_parser("demo", help="start, publish a sample event, show its run, stop")
    shown.add_argument("flow", nargs="?", default="support-reply")
    command.add_to(commands)
    given = parser.parse_args()
    try:
        settings()  # a wrong variable is told before anything starts
        if given.command == "simulate":
            return command.simulate(given)
        if given.command == "demo":
            return asyncio.run(demo(given.flow))
        return asyncio.run(
            run_until_stopped(
                Options(
                    directory=Path(STATE_DIR),
                    engine=given.engine,
                    data_dir=given.data_dir,
                    gateway_port=given.port,
                    isolated=given.isolated,
                )
            )
        )
    except (EngineError, SegueError, OSError) as error:
        complain(f"[bold red]error:[/] {safe(error)}")
        return 2 if isinstance(error, UsageError) else 1


if __name__ == "__main__":
    sys.exit(main())
