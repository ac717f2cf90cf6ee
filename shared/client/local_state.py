"""What a running local system leaves for other commands to find: `.segue/state.json`.

Beside it lies `state.lock`. The system's process holds it as long as it lives, so that traces of a
dead one, whose pid may be a stranger's by now, are never taken for a running one.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter

from shared.errors import UsageError

STATE_DIR = Path(os.environ.get("SEGUE_STATE_DIR", ".segue"))
_PATIENCE = 0.5  # a reader that looks whether the lock is held has it for a moment


class AlreadyRunningError(UsageError):
    """Stop it with `segue down`, or choose another folder with SEGUE_STATE_DIR."""


@dataclass(frozen=True)
class State:
    """Process, environment and addresses of a local system that is ready."""

    pid: int
    engine: str
    environment: dict[str, str]
    urls: dict[str, str]
    log: str
    details: dict[str, str] = field(default_factory=dict)


_FORM = TypeAdapter(State)


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """The folder is this process's until the block ends, or the process, however it dies.

    Traces of an earlier system are gone inside, this one's afterwards; then the lock is released.
    Raises AlreadyRunningError where another system holds the folder.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _lock_file(directory).open("ab") as lock:  # closing it releases the lock
        _take(lock, directory)
        remove_state(directory)
        try:
            yield
        finally:
            remove_state(directory)


def is_held(directory: Path) -> bool:
    """Whether a local system lives in this folder: one that starts, runs or is stopping."""
    try:
        with _lock_file(directory).open("rb") as lock:
            return not _locked(lock, fcntl.LOCK_SH)  # shared: two that look do not see each other
    except FileNotFoundError:
        return False


def write_state(state: State, directory: Path) -> None:
    """Atomically: a reader sees a whole file or none."""
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / "state.json.new"
    draft.write_text(json.dumps(asdict(state), indent=2), "utf-8")
    draft.replace(directory / "state.json")


def read_state(directory: Path) -> State | None:
    """The system that is running; None where there is none, or only traces of one."""
    try:
        state = _FORM.validate_json((directory / "state.json").read_bytes())
    except (OSError, ValueError):  # none, or nothing that this version wrote
        return None
    return state if is_held(directory) else None


def remove_state(directory: Path) -> None:
    (directory / "state.json").unlink(missing_ok=True)


def _lock_file(directory: Path) -> Path:
    return directory / "state.lock"


def _take(lock: IO[bytes], directory: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not _locked(lock, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            raise AlreadyRunningError(f"a local system is running in {directory}")
        time.sleep(0.02)


def _locked(lock: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
