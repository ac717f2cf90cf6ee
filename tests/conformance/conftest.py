"""The engines under test; where Google's emulator is known to deviate, a case has to fail."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from emulator.embedded_engine import EmbeddedEngine
from emulator.engine import Engine, EngineMissingError
from emulator.google import GoogleEngine
from emulator.google_install import find
from tests.conformance.deviations import GOOGLE

HERE = Path(__file__).parent
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["embedded", "google"])
async def engine(
    request: pytest.FixtureRequest,
    outside: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Engine]:
    """Each engine in a process of its own. Only Google's may be missing."""
    if request.param == "google" and outside.keys() >= {
        "PUBSUB_EMULATOR_HOST",
        "FIRESTORE_EMULATOR_HOST",
    }:
        yield Engine("google", outside["PUBSUB_EMULATOR_HOST"], outside["FIRESTORE_EMULATOR_HOST"])
        return
    running = EmbeddedEngine() if request.param == "embedded" else _google()
    yield await running.start(tmp_path_factory.mktemp(request.param))
    await running.stop()


def _google() -> GoogleEngine:
    try:
        return GoogleEngine(find())
    except EngineMissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def project() -> str:
    """An emulator from outside may keep what an earlier session left."""
    return f"conformance-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """Names that no other test uses."""
    return lambda stem: f"{stem}-{next(_numbers)}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A listed case must fail on Google's emulator: one that no longer does leaves the table."""
    for item in (each for each in items if HERE in each.path.parents):
        case = getattr(item, "callspec", None)
        if case is None or case.params.get("engine") != "google":
            continue
        name = item.originalname if isinstance(item, pytest.Function) else item.name
        deviation = GOOGLE.get(item.name.replace("google", "*")) or GOOGLE.get(name or "")
        if deviation is not None:
            reason = f"{deviation.does} Production: {deviation.source}"
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True, run=deviation.run))
