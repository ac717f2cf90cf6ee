"""Seeds and what they stand for: a case, its weather, and how it ends where nothing goes wrong.

Imported by worker processes too: nothing here depends on pytest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from emulator.simulation.core_engine import core_platform
from shared.testing.simulator.endings import Ending
from shared.testing.simulator.engine import Platform
from shared.testing.simulator.simulation import Simulation, Verdict, calm
from shared.tools import replaced
from tests.chaos.agent_cases import TOOLS
from tests.chaos.cases import CASES


@cache
def platform() -> Platform:
    return core_platform()


@cache
def calm_endings(number: int) -> Mapping[str, Ending]:
    """Of a case, by its place among the cases."""
    with replaced(TOOLS):
        verdict = calm(CASES[number], platform())
    assert verdict.violations == ()
    statuses = {ending["status"] for ending in verdict.endings.values()}
    assert statuses == {"succeeded"} | ({"failed"} if CASES[number].fails else set())
    return verdict.endings


def verdict_of(seed: int, number: int | None = None) -> Verdict:
    """Plays a seed: of the case whose turn it is, or of the one at that place among the cases."""
    number = seed % len(CASES) if number is None else number
    endings = calm_endings(number)
    with replaced(TOOLS):
        return Simulation(CASES[number], seed, platform(), endings=endings).play()


@dataclass
class Block:
    """What came of some seeds. `broken` names guarantees by seed; it lacks those that held."""

    broken: dict[int, list[str]] = field(default_factory=dict)
    statistics: Counter[str] = field(default_factory=Counter)


def played(seeds: range) -> Block:
    """Plays them one after another."""
    block = Block()
    for seed in seeds:
        verdict = verdict_of(seed)
        block.statistics.update(verdict.statistics)
        if verdict.violations:
            block.broken[seed] = [str(one) for one in verdict.violations]
    return block


def digests(seeds: range) -> list[str]:
    """The digest of each seed's story."""
    return [verdict_of(seed).story.digest() for seed in seeds]
