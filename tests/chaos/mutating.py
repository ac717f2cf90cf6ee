"""Takes a part out of the protocol, and plays seeds until one of them breaks a guarantee."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from tests.chaos.cases import CASES
from tests.chaos.simulations import calm_endings, verdict_of

Patch = pytest.MonkeyPatch
Mutation = Callable[[Patch], None]
SEEDS = 500


def of_case(name: str) -> range:
    """As many seeds, all of them of one case."""
    number = [case.name for case in CASES].index(name)
    return range(number, SEEDS * len(CASES), len(CASES))


def require_found_out(mutate: Mutation, patch: Patch, seeds: Iterable[int]) -> None:
    for number in range(len(CASES)):
        calm_endings(number)  # of the protocol as it is
    mutate(patch)
    for seed in seeds:
        if verdict_of(seed).violations:
            return
    pytest.fail(f"no seed has noticed that {mutate.__name__.replace('_', ' ')}")
