"""For every tier: a scrubbed environment, and no network where a tier may not touch one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

_PREFIXES = ("SEGUE_", "GOOGLE_", "GEMINI_", "OTEL_", "K_", "STORAGE_EMULATOR_")
_NAMES = ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")
# Taken away before anything of the project is imported: a test must not depend on who runs it.
_OUTSIDE = {
    name: os.environ.pop(name)
    for name in sorted(os.environ)
    if name.startswith(_PREFIXES) or name in _NAMES
}

import pytest  # noqa: E402 - the environment is scrubbed first

TESTS = Path(__file__).parent
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
