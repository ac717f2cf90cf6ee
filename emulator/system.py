"""The whole of Segue on one machine: engine, model stand-in, sink, stages, gateway, clock tick.

Everything starts at once, as its addresses are chosen first; it stops in reverse and leaves
nothing behind. What is set in the environment is used rather than started.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from emulator.engine import Engine, Startable
from emulator.engine_choice import EngineName, choose
from emulator.stage_hosts import StageHosts, plan_isolated, plan_shared
from emulator.surroundings import Ports, environment_of, stage_environment
from emulator.topology import without_priorities
from shared.adapters.system_clock import SystemClock
from shared.client.local_state import State, hold, write_state
from shared.runtime.settings import settings
from shared.runtime.stage_table import StageTable, read_stages


@dataclass(frozen=True)
class Options:
    """How to run. `on_step` is told what has been started, `on_item` what reaches the sink.

    `data_dir` is where the embedded engine keeps its data; without it, they end with the system.
    """

    directory: Path
    engine: EngineName = EngineName.AUTO
    data_dir: Path | None = None
    isolated: bool = False
    gateway_port: int = 0
    sweep_every: float = 5.0
    schedules_every: float = 1.0
    now: Callable[[], datetime] = SystemClock().now  # by which schedules are due
    crash_dir: Path | None = None
    latency_ms: float = 0.0
    prompts: Path | None = None
    extra_environment: Mapping[str, str] | None = None
    table: StageTable = field(default_factory=read_stages)  # what Pub/Sub is set up from
    imports: tuple[str, ...] = ()  # modules that its user needs once it is ready
    on_step: Callable[[str], None] = lambda _step: None
    on_item: Callable[[dict[str, Any]], None] | None = None


class LocalSystem:
    """`async with LocalSystem(options) as state:` runs everything until the block ends.

    One at a time in a folder: raises AlreadyRunningError where another holds it.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stack = AsyncExitStack()
        self._ports = Ports()
        self._hosts: StageHosts | None = None
        self._publisher: Any = None

    @property
    def hosts(self) -> StageHosts:
        assert self._hosts is not None
        return self._hosts

    async def __aenter__(self) -> State:
        try:
            self._stack.enter_context(hold(self._options.directory))  # let go of last
            return await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> State:
        options, logs = self._options, self._fresh_logs()
        choice = await choose(options.engine, options.data_dir)
        if choice.remark is not None:
            options.on_step(choice.remark)
        planned = choice.engine.plan()
        environment = environment_of(planned, self._ports, options.prompts)
        environment |= options.extra_environment or {}
        self._stack.push_async_callback(choice.engine.stop)
        self._hosts = self._stage_hosts(environment, logs / "stages.jsonl")
        self._stack.push_async_callback(self._hosts.stop)
        await self._hosts.launch()  # first, as they take longest
        try:
            async with asyncio.TaskGroup() as group:
                engine = group.create_task(self._engine_up(choice.engine, logs))
                group.create_task(self._stages_up())
                table = self._table(planned, environment)
                front = group.create_task(self._front_up(environment, table, engine))
        except ExceptionGroup as several:
            raise several.exceptions[0] from None
        self._start_ticking(environment)
        return self._described(planned, choice.engine.describe(), environment, front.result())

    async def _engine_up(self, engine: Startable, logs: Path) -> None:
        await engine.start(logs)
        self._options.on_step(engine.describe())

    async def _stages_up(self) -> None:
        await self.hosts.ready()
        self._options.on_step(f"stages {', '.join(self.hosts.routes)}")

    def _table(self, engine: Engine, environment: Mapping[str, str]) -> StageTable:
        """What Pub/Sub is set up from."""
        table = replace(self._options.table, prefix=environment["SEGUE_PREFIX"])
        return table if engine.honours_filters else without_priorities(table)

    async def _front_up(
        self, environment: Mapping[str, str], table: StageTable, engine: asyncio.Task[None]
    ) -> str:
        """Everything of this process. Returns the address that all messages are pushed to."""
        await asyncio.to_thread(importlib.import_module, "emulator.inhouse")
        from emulator import inhouse  # noqa: PLC0415 - imported above, beside the loop

        options, real = self._options, self._ports.model is None
        await inhouse.start_neighbours(
            self._ports,
            options.directory / "outbox",
            self._stack,
            latency_ms=options.latency_ms,
            on_item=options.on_item,
        )
        options.on_step("sink; the model is the real one" if real else "model stand-in and sink")
        url = await inhouse.start_gateway(self.hosts.routes, options.gateway_port, self._stack)
        for module in options.imports:
            await asyncio.to_thread(importlib.import_module, module)
        await engine
        self._publisher = await inhouse.subscribe(environment, table, url)
        return url

    def _start_ticking(self, environment: Mapping[str, str]) -> None:
        """What Cloud Scheduler does: the sweep, and the flows that have a schedule."""
        from emulator import inhouse  # noqa: PLC0415 - imported long since
        from emulator.schedules import ticker_of  # noqa: PLC0415 - with clients, as that one is

        options, publisher = self._options, self._publisher
        project, prefix = environment["GOOGLE_CLOUD_PROJECT"], environment["SEGUE_PREFIX"]
        topics = f"projects/{project}/topics/{prefix}"
        inhouse.start_ticking(f"{topics}-sweep", publisher, options.sweep_every, self._stack)
        prompts = Path(environment.get("SEGUE_PROMPTS", settings().prompts))
        ticker = ticker_of(prompts, f"{topics}-events", publisher, options.now)
        inhouse.start(ticker.run(options.schedules_every), self._stack)

    def _described(
        self, engine: Engine, description: str, environment: dict[str, str], front: str
    ) -> State:
        directory = self._options.directory
        urls = self._ports.urls() | {"gateway": front}
        urls |= {name: f"{front}/{name}" for name in ("ingest", "console")}
        if engine.control_url is not None:
            urls["engine"] = engine.control_url
        log = str((directory / "logs" / "stages.jsonl").resolve())
        state = State(os.getpid(), engine.name, environment, urls, log, {"engine": description})
        write_state(state, directory)
        return state

    def _stage_hosts(self, environment: Mapping[str, str], log: Path) -> StageHosts:
        own = stage_environment(environment, self._options.crash_dir)
        if self._options.isolated:
            return StageHosts(plan_isolated(own, self._options.directory / "bundles"), log)
        return StageHosts(plan_shared(own), log)

    def _fresh_logs(self) -> Path:
        logs = self._options.directory / "logs"
        for leftover in (logs, self._options.directory / "outbox"):  # of an earlier run
            shutil.rmtree(leftover, ignore_errors=True)
        logs.mkdir(parents=True)
        return logs
