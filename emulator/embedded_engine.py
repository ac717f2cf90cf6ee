"""Runs the embedded engine, `python -m emulator.embedded`, as a child process.

Decides its command line and when it is ready. Must not know how it works.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from emulator.child import Child
from emulator.engine import Engine, EngineStartError
from emulator.ports import HOST, free_port
from shared.runtime.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_START_LIMIT = 60.0
_POLL = 0.01


class EmbeddedEngine:
    """A port of 0 means any free one; without `data_dir` nothing outlives the process.

    `indexes` is a file like infra/indexes.yaml: with it, a query that needs a composite index
    which is not declared there is refused, and documents expire. `optimistic` chooses the
    concurrency mode of Firestore's transactions.
    """

    name = "embedded"

    def __init__(
        self,
        *,
        pubsub_port: int = 0,
        firestore_port: int = 0,
        data_dir: Path | None = None,
        indexes: Path | None = None,
        optimistic: bool = False,
        start_limit: float = _START_LIMIT,
    ) -> None:
        self._ports = {"pubsub": pubsub_port, "firestore": firestore_port, "control": 0}
        self._data_dir = data_dir
        self._indexes = indexes
        self._optimistic = optimistic
        self._start_limit = start_limit
        self._child: Child | None = None

    def plan(self) -> Engine:
        """Choose the ports now, and say where the engine is going to listen."""
        self._ports = {name: port or free_port() for name, port in self._ports.items()}
        return _engine({name: f"{HOST}:{port}" for name, port in self._ports.items()})

    def describe(self) -> str:
        """Say in one line what runs."""
        kept = "in memory" if self._data_dir is None else f"kept in {self._data_dir}"
        return f"embedded Pub/Sub and Firestore, {kept}"

    async def start(self, log_dir: Path) -> Engine:
        """Start it and return once it answers; on failure nothing is left running."""
        log = log_dir / "engine.log"
        already = log.stat().st_size if log.exists() else 0
        try:
            self._child = await Child.start("embedded", self._command(), log, cwd=ROOT)
            async with asyncio.timeout(self._start_limit):
                return _engine(await self._listening(self._child, already))
        except TimeoutError:
            happened = f"did not answer within {self._start_limit:g} s"
            message = self._failure(happened)
            await self.stop()
            raise EngineStartError(message) from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop it. Safe to call twice, and when nothing was started."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop()

    @property
    def pids(self) -> list[int]:
        """Of the processes that run."""
        return [] if self._child is None else [self._child.pid]

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "emulator.embedded"]
        for name, port in self._ports.items():
            command += [f"--{name}-port", str(port)]
        if self._data_dir is not None:
            command += ["--data-dir", str(self._data_dir.resolve())]
        if self._indexes is not None:
            command += ["--indexes", str(self._indexes.resolve())]
        return [*command, "--optimistic"] if self._optimistic else command

    async def _listening(self, child: Child, already: int) -> dict[str, str]:
        """Where it listens: it says so in one line once it answers everywhere."""
        while True:
            ended = child.returncode
            for line in child.log.read_bytes()[already:].splitlines(keepends=True):
                if line.startswith(b'{"listening"') and line.endswith(b"\n"):
                    addresses: dict[str, str] = json.loads(line)["listening"]
                    return addresses
            if ended is not None:
                raise EngineStartError(self._failure(f"ended with status {ended} while starting"))
            await asyncio.sleep(_POLL)

    def _failure(self, happened: str) -> str:
        assert self._child is not None
        log, tail = self._child.log, self._child.log_tail()
        return f"The embedded engine {happened}. The end of {log}:\n{tail}"


def _engine(addresses: dict[str, str]) -> Engine:
    control = f"http://{addresses['control']}"
    return Engine(
        "embedded", addresses["pubsub"], addresses["firestore"], control, honours_filters=True
    )
