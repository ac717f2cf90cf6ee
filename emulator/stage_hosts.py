"""Keeps the stage processes alive: all stages in one, or one for each from its built bundle.

A process that ends is started again on the same port, as Cloud Run replaces an instance.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emulator.bundle import build_bundle
from emulator.child import Child
from emulator.engine import EngineStartError
from emulator.ports import HOST, free_port, http_status
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages

_START_LIMIT = 90.0


@dataclass(frozen=True)
class HostPlan:
    """One process: its command, where it runs, and the stages it serves."""

    name: str
    command: tuple[str, ...]
    directory: Path
    routes: Mapping[str, str]
    environment: Mapping[str, str]
    port: int
    health: str = "/"


def plan_shared(environment: Mapping[str, str]) -> list[HostPlan]:
    """All stages in one process, straight from the repository."""
    port = free_port()
    url = f"http://{HOST}:{port}"
    command = (sys.executable, "-m", "emulator.host", str(port))
    routes = {stage: f"{url}/{stage}" for stage in read_stages().stages}
    return [HostPlan("stages", command, ROOT, routes, environment, port, "/healthz")]


def plan_isolated(environment: Mapping[str, str], bundles: Path) -> list[HostPlan]:
    """One process a stage, from its bundle, under the command that Cloud Run uses."""
    return [_isolated(stage, environment, bundles) for stage in read_stages().stages]


def _isolated(stage: str, environment: Mapping[str, str], bundles: Path) -> HostPlan:
    bundle = build_bundle(stage, bundles.resolve() / stage)
    port = free_port()
    url = f"http://{HOST}:{port}"
    command = (
        str(Path(sys.executable).parent / "functions-framework"),
        *("--target", stage, "--source", str(bundle / "main.py")),
        *("--host", HOST, "--port", str(port)),
    )
    # The development install would otherwise be found before the bundle.
    own = {**environment, "PYTHONPATH": str(bundle)}
    return HostPlan(stage, command, bundle, {stage: url}, own, port)


class StageHosts:
    """The running processes of a plan."""

    def __init__(self, plans: list[HostPlan], log: Path) -> None:
        self._plans = plans
        self._log = log
        self._children: dict[str, Child] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self.restarts = 0

    @property
    def routes(self) -> dict[str, str]:
        """Stage -> address of the process that serves it."""
        return {stage: url for plan in self._plans for stage, url in plan.routes.items()}

    @property
    def pids(self) -> dict[str, int]:
        return {name: child.pid for name, child in self._children.items()}

    async def launch(self) -> None:
        """Starts the processes; they come up while something else is done."""
        for plan in self._plans:
            self._children[plan.name] = await self._launch(plan)

    async def ready(self) -> None:
        """Returns when every process answers. Raises EngineStartError with the end of its log."""
        await asyncio.gather(*(self._ready(plan) for plan in self._plans))
        self._watchers = [asyncio.create_task(self._watch(plan)) for plan in self._plans]

    async def stop(self) -> None:
        """Stops watching, then stops the processes."""
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        await asyncio.gather(*(child.stop() for child in self._children.values()))

    async def _launch(self, plan: HostPlan) -> Child:
        return await Child.start(
            plan.name, plan.command, self._log, env=plan.environment, cwd=plan.directory
        )

    async def _ready(self, plan: HostPlan) -> None:
        deadline = asyncio.get_running_loop().time() + _START_LIMIT
        while await http_status(plan.port, plan.health) is None:
            child = self._children[plan.name]
            late = asyncio.get_running_loop().time() > deadline
            if child.returncode is not None or late:
                told = "did not answer in time" if late else f"ended with {child.returncode}"
                message = f"stage process {plan.name!r} {told}:\n{child.log_tail()}"
                raise EngineStartError(message)
            await asyncio.sleep(0.05)

    async def _watch(self, plan: HostPlan) -> None:
        while True:
            await self._children[plan.name].wait()
            await self._children[plan.name].stop()  # what it had started may hold the port
            self.restarts += 1
            self._children[plan.name] = await self._launch(plan)
