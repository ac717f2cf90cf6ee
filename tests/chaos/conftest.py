"""Which seeds are run. SEGUE_CHAOS_SEED runs that one; SEGUE_CHAOS_SEEDS runs so many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import conftest as root
from tests.functional import calls

SEEDS = 350


@pytest.fixture(autouse=True)
def _no_threads() -> Iterator[None]:
    """A thread's turn is not drawn from the seed: sync functions run where they are called."""

    async def inline(function: Callable[..., Any], *args: Any, **more: Any) -> Any:
        return function(*args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "to_thread", inline)
        yield


@pytest.fixture(autouse=True)
def _fresh_calls() -> None:
    calls.SEEN.clear()
    calls.BROKEN.clear()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", _seeds(), ids=lambda seed: f"seed-{seed}")


def _seeds() -> list[int]:
    one = root._OUTSIDE.get("SEGUE_CHAOS_SEED")
    return [int(one)] if one else list(range(int(root._OUTSIDE.get("SEGUE_CHAOS_SEEDS", SEEDS))))
