"""Takes a part out of the protocol, and plays seeds until one of them breaks a guarantee."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
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

_NUMBERS = {case.name: number for number, case in enumerate(CASES)}
Mutation = Callable[[Patch], None]
SEEDS = 500


@dataclass(frozen=True)
class Play:
    """A seed of one case. Which history that is depends on no other case."""

    case: str
    seed: int


def of_case(name: str, *, since: int = 0) -> list[Play]:
    """So many seeds, from one on that is known to notice: it is a hint, and saves time."""
    return [Play(name, seed) for seed in range(since, since + SEEDS)]


def of_any() -> list[Play]:
    """As many, of all cases in turn."""
    return [Play(CASES[seed % len(CASES)].name, seed) for seed in range(SEEDS)]


def require_found_out(mutate: Mutation, patch: Patch, plays: Iterable[Play]) -> None:
    found = [(play, _NUMBERS[play.case]) for play in plays]
    for number in {number for _, number in found}:
        calm_endings(number)  # of the protocol as it is
    mutate(patch)
    for play, number in found:
        violations = verdict_of(play.seed, number).violations
        if violations:
            _require_no_mistake(mutate, violations)
            return
    pytest.fail(f"no seed has noticed that {mutate.__name__.replace('_', ' ')}")


def _require_no_mistake(mutate: Mutation, violations: Iterable[Violation]) -> None:
    """A mutation that cannot even be called would be found out for that."""
    mistakes = [str(one) for one in violations if "positional argument" in str(one)]
    mistakes += [str(one) for one in violations if "keyword argument" in str(one)]
    assert mistakes == [], f"{mutate.__name__} does not fit what it replaces"
