"""Which seeds are run, and where. SEGUE_CHAOS_SEED runs that one; SEGUE_CHAOS_SEEDS so many."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests import conftest as root
from tests.chaos.simulations import Block, played
from tests.functional import calls

SEEDS = 660
_AT_ONCE = 125  # seeds a test: few enough to say where it fails, enough to be worth a process
_ONE = root._OUTSIDE.get("SEGUE_CHAOS_SEED")


@pytest.fixture(autouse=True)
def _fresh_calls() -> None:
    calls.SEEN.clear()
    calls.BROKEN.clear()


def blocks() -> list[range]:
    if _ONE is not None:
        return [range(int(_ONE), int(_ONE) + 1)]
    last = int(root._OUTSIDE.get("SEGUE_CHAOS_SEEDS", SEEDS))
    return [range(at, min(at + _AT_ONCE, last)) for at in range(0, last, _AT_ONCE)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" in metafunc.fixturenames:
        metafunc.parametrize("seeds", blocks(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")


@pytest.fixture(scope="session")
def processes() -> Iterator[ProcessPoolExecutor]:
    """One worker a processor, each with a hash seed of its own."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield pool
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def playing(processes: ProcessPoolExecutor) -> Mapping[range, Future[Block]]:
    """All blocks, being played from now on."""
    return {seeds: processes.submit(played, seeds) for seeds in blocks()}
