"""Plays many seeds, in several processes, and gathers what was broken.

Knows no flow; how results are shown is decided in `report`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from typing import Any

from emulator.simulation.core_engine import core_platform
from emulator.simulation.subject import Subject
from shared.cli.world import library
from shared.errors import UsageError
from shared.testing.simulator.case import Case
from shared.testing.simulator.endings import Ending
from shared.testing.simulator.engine import Platform
from shared.testing.simulator.guarantees import Violation
from shared.testing.simulator.simulation import Simulation, Verdict, calm
from shared.testing.simulator.weather import weather_of

_AT_ONCE = 10  # seeds a worker is given at a time


class FairWeatherError(UsageError):
    """A simulation needs a run that succeeds where nothing goes wrong: correct the event's data,
    with --data, or the flow.
    """


@dataclass(frozen=True)
class Plan:
    """A subject and how it ends where nothing goes wrong. `exact`: with the same outputs always.

    `alone`: they are those of one event; of two, what steps a run has depends on which comes
    first. Without `endings` there is no telling.
    """

    subject: Subject
    endings: Mapping[str, Ending] | None
    exact: bool
    alone: bool = False


@dataclass
class Outcome:
    """What came of the seeds of one plan. `broken` are (seed, violations), by seed."""

    plan: Plan
    seeds: int = 0
    broken: list[tuple[int, tuple[Violation, ...]]] = field(default_factory=list)
    statistics: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


@dataclass(frozen=True)
class Played:
    """One seed of one plan, as it comes back from a worker."""

    plan: int
    seed: int
    violations: tuple[Violation, ...]
    statistics: Counter[str]
    seconds: float


def plan_of(subject: Subject) -> Plan:
    """Finds out how the subject ends in fair weather. Raises FairWeatherError."""
    case = _case(subject)
    first, second = (calm(case, _platform(), seed) for seed in (0, 1))
    if not first.endings:
        raise FairWeatherError(f"event {subject.event_type} starts no flow with this data")
    for run_id, ending in first.endings.items():
        if ending["status"] != "succeeded":
            raise FairWeatherError(f"undisturbed, run {run_id} {_why(first, run_id)}")
    alone = _steps(first) != _steps(second)
    if alone:
        first, second = (calm(case, _platform(), seed, events=1) for seed in (0, 1))
    endings = first.endings if _steps(first) == _steps(second) else None
    return Plan(subject, endings, exact=first.endings == second.endings, alone=alone)


def _steps(verdict: Verdict) -> dict[str, set[str]]:
    return {run_id: set(ending["steps"]) for run_id, ending in verdict.endings.items()}


def _why(verdict: Verdict, run_id: str) -> str:
    error: Any = verdict.endings[run_id]["error"]
    return f"fails: {error['code']}, {error['message']}" if error else "does not end"


def verdict_of(plan: Plan, seed: int) -> Verdict:
    """Plays one seed here."""
    case, weather = _case(plan.subject), weather_of(seed)
    is_known = weather.events == 1 or not plan.alone
    endings = plan.endings if is_known else None
    simulation = Simulation(
        case, seed, _platform(), weather=weather, endings=endings, exact=plan.exact
    )
    return simulation.play()


def played(plans: list[Plan], seeds: range, jobs: int) -> Iterator[Played]:
    """Plays each seed of each plan, in `jobs` processes; one after another where it is one."""
    wanted = [(number, seed) for number in range(len(plans)) for seed in seeds]
    if jobs == 1 or len(wanted) == 1:
        for number, seed in wanted:
            yield _one(plans, number, seed)
        return
    groups = [wanted[at : at + _AT_ONCE] for at in range(0, len(wanted), _AT_ONCE)]
    with ProcessPoolExecutor(jobs, get_context("spawn"), _prepare, (plans,)) as pool:
        for group in pool.map(_several, groups):
            yield from group


_PLANS: list[Plan] = []


def _prepare(plans: list[Plan]) -> None:
    """Gives a worker its plans, once."""
    _PLANS[:] = plans


def _several(wanted: list[tuple[int, int]]) -> list[Played]:
    return [_one(_PLANS, number, seed) for number, seed in wanted]


def _one(plans: list[Plan], number: int, seed: int) -> Played:
    found = verdict_of(plans[number], seed)
    return Played(number, seed, found.violations, found.statistics, found.seconds)


@cache
def _platform() -> Platform:
    return core_platform()


_CASES: dict[str, Case] = {}


def _case(subject: Subject) -> Case:
    if subject.name not in _CASES:
        _CASES[subject.name] = subject.case(library())
    return _CASES[subject.name]
