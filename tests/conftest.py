"""For every tier: a scrubbed environment, and no network where a tier may not touch one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

_PREFIXES = ("SEGUE_", "LANGFUSE_", "GOOGLE_", "GEMINI_", "OTEL_", "K_", "STORAGE_EMULATOR_")
_NAMES = ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")
# Taken away before anything of the project is imported: a test must not depend on who runs it.
_OUTSIDE = {
    name: os.environ.pop(name)
    for name in sorted(os.environ)
    if name.startswith(_PREFIXES) or name in _NAMES
}

import pytest  # noqa: E402 - the environment is scrubbed first

TESTS = Path(__file__).parent
_ENGINES = frozenset({"engine", "system"})  # parameters that servers are started for
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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares servers stays with one worker: those of an engine in a tier, else a file's."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    path = item.path.relative_to(TESTS)
    tier, case = path.parts[0], getattr(item, "callspec", None)
    if tier == "contract":
        return tier
    engines = [case.params[name] for name in _ENGINES & case.params.keys()] if case else []
    return f"{tier}-{engines[0]}" if engines else path.as_posix()


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
