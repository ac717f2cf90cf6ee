"""`up`, `down` and `env`: the local system, run by the emulator package in a process of its own."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shared.cli.output import complain, print_json, safe, say
from shared.client.connection import NothingRunningError
from shared.client.local_state import STATE_DIR, AlreadyRunningError, State, is_held, read_state

_START_LIMIT = 120.0
_STOP_LIMIT = 30.0


class EngineName(StrEnum):
    """What Pub/Sub and Firestore can run on."""

    AUTO = "auto"
    EMBEDDED = "embedded"
    GOOGLE = "google"


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command()(up)
    app.command()(down)
    app.command()(env)


def up(
    *,
    engine: Annotated[
        EngineName,
        typer.Option(
            help="auto: the emulators that PUBSUB_EMULATOR_HOST and FIRESTORE_EMULATOR_HOST name,"
            " else embedded. embedded: Segue's own, in Python. google: Google's, with Java."
            " An engine asked for by name is started even where the variables are set."
        ),
    ] = EngineName.AUTO,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Of the embedded engine: keep its data there, for the next time."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it is ready.")] = False,
    isolated: Annotated[
        bool, typer.Option("--isolated", help="One process per stage, from its built bundle.")
    ] = False,
    port: Annotated[int, typer.Option(help="Of the HTTP front; 0 takes a free one.")] = 8080,
) -> None:
    """Start everything locally: Pub/Sub, Firestore, model stand-in, mail and Slack sink, stages."""
    if is_held(STATE_DIR):
        raise AlreadyRunningError(f"a local system is running in {STATE_DIR}")
    command = [sys.executable, "-m", "emulator", "up", "--port", str(port), "--engine", engine]
    command += ["--isolated"] if isolated else []
    command += ["--data-dir", str(data_dir)] if data_dir is not None else []
    if not detach:
        os.execv(command[0], command)  # noqa: S606 - Ctrl-C and the exit code are then its own
    _detached(command)


def _detached(command: list[str]) -> None:
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    log = STATE_DIR / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    state = _wait_until_up(process, log)
    say(f"running in the background, pid {state.pid}; stop it with [bold]segue down[/]")
    for name, url in state.urls.items():
        say(f"  {name:<8} {url}")


def _wait_until_up(process: subprocess.Popen[bytes], log: Path) -> State:
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline:
        state = read_state(STATE_DIR)
        if state is not None and state.pid == process.pid:  # not one that was started meanwhile
            return state
        if process.poll() is not None:
            complain(safe(log.read_text("utf-8", errors="replace").strip()))
            raise typer.Exit(1)
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGTERM)
    complain(f"not ready after {_START_LIMIT:.0f} s; see {log}")
    raise typer.Exit(1)


def down() -> None:
    """Stop what `segue up --detach` started; returns when all of it has ended."""
    state = read_state(STATE_DIR)
    if state is None:
        raise NothingRunningError("nothing is running")
    with suppress(ProcessLookupError):  # it has ended by itself since
        os.kill(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_LIMIT
    while is_held(STATE_DIR):
        if time.monotonic() > deadline:
            complain(f"pid {state.pid} has not stopped after {_STOP_LIMIT:.0f} s")
            raise typer.Exit(1)
        time.sleep(0.05)
    say("stopped")


def env(*, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Print the exports that point any client at the local system: `eval "$(segue env)"`."""
    state = read_state(STATE_DIR)
    if state is None:
        raise NothingRunningError("nothing is running")
    exports = {
        **state.environment,
        **{f"SEGUE_{name.upper()}_URL": url for name, url in state.urls.items()},
    }
    if as_json:
        print_json(exports)
        return
    for name, value in exports.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
