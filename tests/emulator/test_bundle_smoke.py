"""Every bundle serves on its own: with its own packages alone, under the command Cloud Run uses."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient

from emulator.bundle import build_bundle
from emulator.embedded_engine import EmbeddedEngine
from emulator.ports import HOST, free_port
from emulator.stage_hosts import HostPlan, StageHosts
from shared.client.connection import pointed_at
from shared.delivery.deps import Deps
from shared.domain.records import DeadLetterRecord
from shared.ports import Create, Query
from shared.runtime.container import build_deps
from shared.runtime.settings import Settings
from shared.runtime.stage_table import read_stages
from tests.emulator.bare_environment import bare_environment

STAGES = read_stages().stages
REFUSING = ("route", "compose", "generate", "act")
PROJECT, TOKEN = "bundles", "let me in"
POISON = b"\x00 no envelope"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Bundles:
    """All stages, each in an environment as its build makes it, and the engine they talk to."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.commands: dict[str, Path] = {}
        self.hosts: list[StageHosts] = []
        self._environment = environment
        with pointed_at(environment):
            self.deps: Deps = build_deps("route", Settings())
            self._publisher, self._subscriber = PublisherAsyncClient(), SubscriberAsyncClient()

    async def start(self) -> None:
        """Those with equal packages share an environment; its first stage compiles it for all."""

        def packages(stage: str) -> str:
            return (self.folder / stage / "requirements.txt").read_text("utf-8")

        for stage in STAGES:
            build_bundle(stage, self.folder / stage)
        alike = [list(group) for _, group in groupby(sorted(STAGES, key=packages), packages)]
        for first, *others in alike:
            commands = bare_environment(
                self.folder / first / "requirements.txt", self.folder / f"environment-{first}"
            )
            self.commands |= dict.fromkeys((first, *others), commands)
        await self._serve([first for first, *_ in alike])
        await self._serve([stage for _, *others in alike for stage in others])

    async def _serve(self, stages: list[str]) -> None:
        hosts = StageHosts([self._plan(stage) for stage in stages], self.folder / "stages.log")
        self.hosts.append(hosts)
        await hosts.launch()
        await hosts.ready()

    def _plan(self, stage: str) -> HostPlan:
        """Nothing of this process's environment is handed on."""
        port = free_port()
        own = {
            **self._environment,
            "PATH": str(self.commands[stage]),
            "FUNCTION_TARGET": stage,
            "HOST": HOST,
            "PORT": str(port),
            "SEGUE_INGEST_TOKEN": TOKEN,
            "SEGUE_CONSOLE_TOKENS": json.dumps({"ada": TOKEN}),
        }
        command = (str(self.commands[stage] / "functions-framework"),)
        routes = {stage: f"http://{HOST}:{port}"}
        return HostPlan(stage, command, self.folder / stage, routes, own, port)

    async def stop(self) -> None:
        for hosts in self.hosts:
            await hosts.stop()

    async def post(self, stage: str, path: str, body: bytes, **headers: str) -> int:
        [url] = [hosts.routes[stage] for hosts in self.hosts if stage in hosts.routes]
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            return (await client.post(url + path, content=body, headers=headers)).status_code

    async def push(self, stage: str, data: bytes = b"", **attributes: str) -> int:
        """The status that a stage answers Pub/Sub's push of a message with."""
        message = {
            "data": base64.b64encode(data).decode(),
            "attributes": {name.replace("_", "-"): text for name, text in attributes.items()},
            "messageId": f"to-{stage}",
            "publishTime": "2026-01-01T00:00:00Z",
        }
        body = {"message": message, "subscription": f"projects/{PROJECT}/subscriptions/{stage}"}
        return await self.post(stage, "/", json.dumps(body).encode())

    async def listen(self, topic: str) -> str:
        """Creates the topic with a subscription, and returns the subscription."""
        name = f"projects/{PROJECT}/topics/segue-{topic}"
        await self._publisher.create_topic(name=name)
        subscription = f"projects/{PROJECT}/subscriptions/seen-{topic}"
        await self._subscriber.create_subscription(name=subscription, topic=name)
        return subscription

    async def received(self, subscription: str) -> list[tuple[bytes, dict[str, str]]]:
        found = await self._subscriber.pull(subscription=subscription, max_messages=10)
        return [(one.message.data, dict(one.message.attributes)) for one in found.received_messages]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bundles(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bundles]:
    folder = tmp_path_factory.mktemp("bundles")
    running = EmbeddedEngine()
    engine = await running.start(folder)
    nowhere = {"GOOGLE_CLOUD_PROJECT": PROJECT, "GOOGLE_VERTEX_BASE_URL": f"http://{HOST}:9"}
    started = Bundles(folder, {**engine.environment(), **nowhere})
    try:
        await started.start()
        yield started
    finally:
        await started.stop()
        await running.stop()


@pytest.mark.parametrize("stage", REFUSING)
async def test_what_no_stage_can_read_goes_to_its_dead_letter_topic(
    bundles: Bundles, stage: str
) -> None:
    seen = await bundles.listen(f"{stage}-dead")
    assert await bundles.push(stage, POISON) == 204
    [(data, attributes)] = await bundles.received(seen)
    assert data == POISON
    assert attributes["segue-from-stage"] == stage


async def test_bury_records_a_letter(bundles: Bundles) -> None:
    assert await bundles.push("bury", POISON, segue_from_stage="act", segue_reason="no") == 204
    [letter] = await bundles.deps.store.find(Query("dead_letters"))
    assert DeadLetterRecord.of(letter.data).data == POISON


async def test_sweep_deletes_what_has_expired(bundles: Bundles) -> None:
    await bundles.deps.store.commit([Create("events/old", {"expire_at": LONG_AGO})])
    assert await bundles.push("sweep") == 204
    assert await bundles.deps.store.get("events/old") is None


async def test_ingest_publishes_an_event_of_whom_it_knows(bundles: Bundles) -> None:
    seen = await bundles.listen("events")
    event: dict[str, Any] = {
        "ce-type": "t",
        "ce-source": "s",
        "ce-id": "1",
        "ce-specversion": "1.0",
    }
    assert await bundles.post("ingest", "/events", b"{}", **event) == 401
    known = {**event, "authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    assert await bundles.post("ingest", "/events", b"{}", **known) == 202
    [(_, attributes)] = await bundles.received(seen)
    assert attributes["ce-type"] == "t"


async def test_the_console_looks_for_whom_it_knows(bundles: Bundles) -> None:
    path = "/api/runs/nobody/cancel"
    assert await bundles.post("console", path, b"") == 401
    assert await bundles.post("console", path, b"", authorization=f"Bearer {TOKEN}") == 404


@pytest.mark.parametrize("stage", STAGES)
def test_the_library_is_the_bundles_own(bundles: Bundles, stage: str) -> None:
    """Nowhere else is there one; and the bytecode shows that this one was imported."""
    python = [str(bundles.commands[stage] / "python"), "-I", "-c", "import shared"]
    missing = subprocess.run(python, capture_output=True, text=True, check=False)
    assert "No module named 'shared'" in missing.stderr
    compiled = bundles.folder / stage / "shared" / "runtime" / "__pycache__"
    assert list(compiled.glob("container.*.pyc"))


def test_no_stage_had_to_be_started_again(bundles: Bundles) -> None:
    assert [hosts.restarts for hosts in bundles.hosts] == [0, 0]
