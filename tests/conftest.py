"""For every tier: a scrubbed environment, and no network where a tier may not touch one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

_PREFIXES = ("SEGUE_", "LANGFUSE_", "GOOGLE_", "GEMINI_", "OTEL_", "K_", "STORAGE_EMULATOR_")
_NAMES = ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")
# Taken away before anything of the project is imported: a test must not depend on who runs it.
_OUTSIDE = {
    name: os.environ.pop(name)
    for name in sorted(os.environ)
    if name.startswith(_PREFIXES) or name in _NAMES
}

import pytest  # noqa: E402 - the environment is scrubbed first
from xdist.scheduler import LoadScopeScheduling  # noqa: E402

TESTS = Path(__file__).parent
_ON_ENGINES = frozenset({"conformance", "emulator"})
_ENGINES = frozenset({"embedded", "google"})  # as fixtures call them that start servers
OFFLINE = frozenset({"unit", "property", "functional", "chaos", "prompts", "architecture"})


def pytest_report_header() -> str:
    """Which engines the tests of real servers run on."""
    from emulator.engine import EngineMissingError  # noqa: PLC0415 - after the scrubbing
    from emulator.google_install import find  # noqa: PLC0415

    if _OUTSIDE.keys() >= set(_NAMES):
        return "engines: embedded, and the emulators that the environment names"
    try:
        return f"engines: embedded, and {find().describe()}"
    except EngineMissingError as missing:
        return f"engines: embedded only. {missing}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """What shares servers stays with one worker: those of an engine in a tier, else a file's."""
    return _Grouped(config, log)


class _Grouped(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Groups are handed out in the order of their names: the tiers that take long come first."""

    def _split_scope(self, nodeid: str) -> str:
        path, _, name = nodeid.partition("::")
        tier = path.split("/")[1]
        if tier == "contract":
            return tier
        case = set(name.partition("[")[2].removesuffix("]").split("-"))
        engines = sorted(case & _ENGINES) if tier in _ON_ENGINES else []
        return f"{tier}-{engines[0]}" if engines else path


@pytest.fixture(scope="session")
def outside() -> Mapping[str, str]:
    """What was taken from the environment: where it names emulators, their tier uses those."""
    return _OUTSIDE


@pytest.fixture(autouse=True)
def _network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Closed in the offline tiers. Socket pairs stay: event loops wake themselves with one."""
    if request.path.relative_to(TESTS).parts[0] not in OFFLINE:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _refuse)
        patch.setattr(socket.socket, "connect_ex", _refuse)
        yield


def _refuse(_socket: socket.socket, address: object) -> NoReturn:
    message = f"a test of an offline tier connects to {address!r}; see tests/README.md"
    raise AssertionError(message)
