"""One child process: its own process group, its output in a log file, nothing left behind.

On Linux the kernel kills it when the thread that started it ends, so start children from the main
thread's loop. Elsewhere an `atexit` hook does it. Must not know what the child is for.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LEASH = Path(__file__).with_name("leash.py")
_live_groups: set[int] = set()


def _signal_group(group: int, number: signal.Signals) -> None:
    # An empty group is the goal, not an error; macOS answers EPERM for a group of zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


@atexit.register
def _kill_what_is_left() -> None:
    for group in _live_groups:
        _signal_group(group, signal.SIGKILL)


class Child:
    """A started process. `stop()` may be called at any time and more than once."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Child:
        """Start the command with its output appended to `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        leash = (sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()))
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *leash,
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        _live_groups.add(process.pid)
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of the process group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for the process to end by itself."""
        return await self._process.wait()

    async def stop(self, grace: float = 5.0) -> None:
        """Send SIGTERM, after `grace` seconds SIGKILL, always to the whole group."""
        _signal_group(self.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), grace)
        except TimeoutError:
            _signal_group(self.pid, signal.SIGKILL)
            await self._process.wait()
        # The leader may end before what it started.
        _signal_group(self.pid, signal.SIGKILL)
        _live_groups.discard(self.pid)

    def log_tail(self, lines: int = 12) -> str:
        """Return the last lines of the log, for an error message."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"
