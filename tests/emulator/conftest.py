"""Fixtures for tests against real servers: the whole local system, on each engine there is.

A system is started once for each engine; tests keep out of each other's way by ids of their own.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from emulator.engine import Engine, EngineMissingError
from emulator.engine_choice import EngineName
from emulator.google import GoogleEngine
from emulator.google_install import Installation, find
from emulator.system import LocalSystem, Options
from shared.domain.stages import Retry, Stage
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import StageTable, read_stages
from shared.testing.memory import ManualClock
from tests.emulator.harness import FLOWS, ROLLOUTS, TEMPLATES, Harness


@pytest.fixture(scope="session")
def installation() -> Installation:
    """Google's emulators, or a skip that says what to install."""
    try:
        return find()
    except EngineMissingError as missing:
        pytest.skip(str(missing))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def google_engine(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Engine]:
    """Google's two emulators."""
    engine = GoogleEngine(installation)
    yield await engine.start(tmp_path_factory.mktemp("google"))
    await engine.stop()


@pytest_asyncio.fixture(
    scope="package", loop_scope="session", params=[EngineName.EMBEDDED, EngineName.GOOGLE], ids=str
)
async def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Harness]:
    """The whole local system, all stages in one process that crash points can kill."""
    if request.param == EngineName.GOOGLE:
        request.getfixturevalue("installation")  # skips where there is none
    folder, clock = tmp_path_factory.mktemp(f"system-{request.param}"), ManualClock()
    options = Options(
        directory=folder / "state",
        engine=request.param,
        crash_dir=folder / "crashes",
        prompts=prompts_with_tests(folder),
        table=impatient(read_stages()),
        sweep_every=1.0,
        schedules_every=0.1,
        now=clock.now,
    )
    async with LocalSystem(options) as state:
        harness = Harness(state, folder, clock)
        yield harness
        await harness.close()


def prompts_with_tests(folder: Path) -> Path:
    """The shipped prompts and flows with those of the tests beside them, in a folder to edit."""
    prompts = folder / "prompts"
    shutil.copytree(ROOT / "prompts", prompts)
    for name, text in TEMPLATES.items():
        path = prompts / "templates" / f"{name}.md.j2"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    for name, text in FLOWS.items():
        (prompts / "flows" / f"{name}.yaml").write_text(text, "utf-8")
    (prompts / "rollouts").mkdir(exist_ok=True)
    for name, text in ROLLOUTS.items():
        (prompts / "rollouts" / f"{name}.yaml").write_text(text, "utf-8")
    return prompts


def impatient(table: StageTable) -> StageTable:
    """The same stages with short back-offs, so that giving up takes seconds."""
    stages = {name: _impatient(stage) for name, stage in table.stages.items()}
    return StageTable(table.prefix, stages)


def _impatient(stage: Stage) -> Stage:
    if stage.trigger != "topic":
        return stage
    return stage.model_copy(update={"retry": Retry(min=0.1, max=0.5), "max_attempts": 12})
