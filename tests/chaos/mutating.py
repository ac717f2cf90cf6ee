"""Takes a part out of the protocol, and plays seeds until one of them breaks a guarantee."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from importlib import import_module

import pytest

import shared.delivery
from shared.testing.simulator.guarantees import Violation
from tests.chaos.cases import CASES
from tests.chaos.simulations import calm_endings, verdict_of

Patch = pytest.MonkeyPatch

# Some are loaded when first needed: in the middle of a mutation they would keep it.
for found in pkgutil.walk_packages(shared.delivery.__path__, "shared.delivery."):
    import_module(found.name)

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
        violations = verdict_of(seed).violations
        if violations:
            _require_no_mistake(mutate, violations)
            return
    pytest.fail(f"no seed has noticed that {mutate.__name__.replace('_', ' ')}")


def _require_no_mistake(mutate: Mutation, violations: Iterable[Violation]) -> None:
    """A mutation that cannot even be called would be found out for that."""
    mistakes = [str(one) for one in violations if "positional argument" in str(one)]
    mistakes += [str(one) for one in violations if "keyword argument" in str(one)]
    assert mistakes == [], f"{mutate.__name__} does not fit what it replaces"
