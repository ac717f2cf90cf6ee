"""The whole of Segue on one machine: engine, model stand-in, sink, stages, gateway, clock tick.

Starts in order, stops in reverse, leaves nothing behind; what is set in the environment is used
rather than started.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from asyncio import open_connection
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1 import types as pubsub

from emulator import gateway, google, google_install
from emulator.engine import Engine, EngineError
from emulator.provision import pointed_at, provision
from emulator.serving import serve
from emulator.sink import start_sink
from emulator.stage_hosts import StageHosts, plan_isolated, plan_shared
from emulator.standin.app import build as build_standin
from emulator.standin.rule_file import load
from emulator.topology import topology
from shared.cli.state import State, hold, write_state
from shared.runtime.settings import LOCAL_PROJECT, Settings
from shared.runtime.stage_table import StageTable, read_stages

RULES = Path(__file__).parent / "standin" / "rules.yaml"
_EMULATORS = ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")
_REAL_MODEL = ("GEMINI_API_KEY", "SEGUE_MODEL")
LOCAL_HOOK_SECRET = "local-secret"  # noqa: S105 - signs test webhooks on this machine only


@dataclass(frozen=True)
class Options:
    """How to run. `on_step` is told what is being started, `on_item` what reaches the sink."""

    directory: Path
    isolated: bool = False
    gateway_port: int = 0
    sweep_every: float = 5.0
    crash_dir: Path | None = None
    latency_ms: float = 0.0
    prompts: Path | None = None
    extra_environment: Mapping[str, str] | None = None
    table: StageTable = field(default_factory=read_stages)  # what Pub/Sub is set up from
    on_step: Callable[[str], None] = lambda _step: None
    on_item: Callable[[dict[str, Any]], None] | None = None


class LocalSystem:
    """`async with LocalSystem(options) as state:` runs everything until the block ends.

    One at a time in a folder: raises AlreadyRunningError where another holds it.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stack = AsyncExitStack()
        self._hosts: StageHosts | None = None

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
        say = self._options.on_step
        logs = self._options.directory / "logs"
        for leftover in (logs, self._options.directory / "outbox"):  # of an earlier run
            shutil.rmtree(leftover, ignore_errors=True)
        logs.mkdir(parents=True)
        engine, described = await self._engine(logs)
        say(described)
        environment, urls = await self._neighbours(engine)
        say("model stand-in and sink" if "model" in urls else "sink; the model is the real one")
        self._hosts = self._stage_hosts(environment, logs / "stages.jsonl")
        self._stack.push_async_callback(self._hosts.stop)
        await self._hosts.start()
        say(f"stages {', '.join(self._hosts.routes)}")
        front = await serve(gateway.build_app(self._hosts.routes), self._options.gateway_port)
        self._stack.push_async_callback(front.stop)
        await self._subscribe(environment, front.url)
        urls |= {"ingest": f"{front.url}/ingest", "gateway": front.url}
        log = str((logs / "stages.jsonl").resolve())
        state = State(os.getpid(), engine.name, environment, urls, log, {"engine": described})
        write_state(state, self._options.directory)
        return state

    async def _engine(self, logs: Path) -> tuple[Engine, str]:
        given = await engine_of_environment()
        if given is not None:
            return given, "the emulators of the environment"
        installation = google_install.find()
        engine = google.GoogleEngine(installation)
        self._stack.push_async_callback(engine.stop)
        return await engine.start(logs), installation.describe()

    async def _neighbours(self, engine: Engine) -> tuple[dict[str, str], dict[str, str]]:
        """Stand-in and sink, and the environment in which the stages find all of it."""
        sink = await start_sink(self._options.directory / "outbox", on_item=self._options.on_item)
        self._stack.push_async_callback(sink.stop)
        urls = {"sink": sink.url}
        environment = {
            **engine.environment(),
            "GOOGLE_CLOUD_PROJECT": os.environ.get("GOOGLE_CLOUD_PROJECT", LOCAL_PROJECT),
            "SEGUE_PREFIX": Settings().prefix,
            "SEGUE_SLACK_TOKEN": "local",
            "SEGUE_SLACK_BASE_URL": f"{sink.url}/api",
            "SEGUE_SMTP_URL": f"smtp://{sink.smtp_host}:{sink.smtp_port}",
            "SEGUE_EMAIL_FROM": "support@segue.example",
            "SEGUE_INGEST_OPEN": "true",
            "SEGUE_HOOK_SECRETS": json.dumps(dict.fromkeys(("demo", "slack"), LOCAL_HOOK_SECRET)),
            "SEGUE_RELOAD": "true",
        }
        if self._options.prompts is not None:
            environment["SEGUE_PROMPTS"] = str(self._options.prompts)
        if not any(os.environ.get(name) for name in _REAL_MODEL):
            app = build_standin(load(RULES), latency=self._options.latency_ms / 1000)
            standin = await serve(app)
            self._stack.push_async_callback(standin.stop)
            urls["model"] = standin.url
            environment["GOOGLE_VERTEX_BASE_URL"] = standin.url
        return environment | dict(self._options.extra_environment or {}), urls

    def _stage_hosts(self, environment: Mapping[str, str], log: Path) -> StageHosts:
        own = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
        if self._options.crash_dir is not None:
            own["SEGUE_CRASH_DIR"] = str(self._options.crash_dir.resolve())
        if self._options.isolated:
            return StageHosts(plan_isolated(own, self._options.directory / "bundles"), log)
        return StageHosts(plan_shared(own), log)

    async def _subscribe(self, environment: Mapping[str, str], base_url: str) -> None:
        project = environment["GOOGLE_CLOUD_PROJECT"]
        table = replace(self._options.table, prefix=environment["SEGUE_PREFIX"])
        with pointed_at(environment):
            publisher, subscriber = PublisherAsyncClient(), SubscriberAsyncClient()
        await provision(topology(table, base_url), project, publisher, subscriber)
        topic = f"projects/{project}/topics/{table.prefix}-sweep"
        ticking = asyncio.create_task(self._tick(topic, publisher))
        self._stack.push_async_callback(_cancelled(ticking))

    async def _tick(self, topic: str, publisher: PublisherAsyncClient) -> None:
        """What Cloud Scheduler does in the cloud."""
        tick = pubsub.PubsubMessage(data=b"{}", attributes={"content-type": "application/json"})
        while True:
            with suppress(GoogleAPICallError):  # a missed tick loses nothing
                await publisher.publish(topic=topic, messages=[tick], timeout=5)
            await asyncio.sleep(self._options.sweep_every)


async def engine_of_environment() -> Engine | None:
    """The emulators that the environment names, if it names both.

    Raises EngineError where one does not answer: a shell may remember a system that has ended.
    """
    pubsub_host, firestore_host = (os.environ.get(name) for name in _EMULATORS)
    if not pubsub_host or not firestore_host:
        return None
    for name, host in zip(_EMULATORS, (pubsub_host, firestore_host), strict=True):
        if not await _answers(host):
            message = f"{name} names {host}, where nothing answers: unset it (or open a new shell)"
            raise EngineError(message)
    return Engine("environment", pubsub_host, firestore_host)


async def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        opening = open_connection(host.strip("[]"), port)
        _, writer = await asyncio.wait_for(opening, timeout=1)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True


def _cancelled(task: asyncio.Task[None]) -> Callable[[], Awaitable[None]]:
    async def cancel() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return cancel
