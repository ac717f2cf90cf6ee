"""Random operations on both engines at once: every answer is the same.

Documents, error codes and orders are compared as they are; times only by whether they changed.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio
from google.cloud.firestore import Client
from hypothesis import HealthCheck, given, settings

from emulator.embedded_engine import EmbeddedEngine
from emulator.engine import Engine, EngineMissingError
from emulator.google import GoogleEngine
from emulator.google_install import find
from shared.client.connection import pointed_at
from tests.conformance.firestore.operations import Operation, operations
from tests.conformance.firestore.replay import Replay

_rooms = itertools.count(1)
_settings = settings(
    max_examples=50,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engines(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Engine, Engine]]:
    """Both engines, or a skip that says what is missing."""
    try:
        google = GoogleEngine(find())
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    embedded = EmbeddedEngine()
    yield (
        await embedded.start(tmp_path_factory.mktemp("embedded")),
        await google.start(tmp_path_factory.mktemp("google")),
    )
    await embedded.stop()
    await google.stop()


@pytest.fixture(scope="module")
def clients(engines: tuple[Engine, Engine], project: str) -> Iterator[tuple[Client, Client]]:
    made = []
    for engine in engines:
        with pointed_at(engine.environment()):
            made.append(Client(project=project))
    yield made[0], made[1]
    for client in made:
        client.close()


@pytest.fixture(scope="module")
def replay(clients: tuple[Client, Client]) -> Callable[[list[Operation]], None]:
    def both(sequence: list[Operation]) -> None:
        room = f"room{next(_rooms)}"
        ours, theirs = (Replay(client, room) for client in clients)
        for operation in sequence:
            expected, answer = theirs.run(operation), ours.run(operation)
            assert answer == expected, operation

    return both


@given(sequence=operations())
@_settings
def test_both_engines_answer_alike(
    replay: Callable[[list[Operation]], None], sequence: list[Operation]
) -> None:
    replay(sequence)
