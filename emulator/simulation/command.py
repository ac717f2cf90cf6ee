"""`python -m emulator simulate`: plays seeds of flows, shows what came of them, and how to replay.

Exit code 0 where every guarantee held, 1 where one was broken.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from emulator.simulation.report import as_json, show, show_story, story_as_json
from emulator.simulation.runner import Outcome, Plan, Played, plan_of, played, verdict_of
from emulator.simulation.subject import Asked, subjects
from shared.cli.output import complain, err, print_json, safe, say
from shared.cli.sending import read_data
from shared.cli.world import library

SEEDS = 200


def add_to(commands: Any) -> None:
    """Registers the subcommand with argparse."""
    simulate = commands.add_parser("simulate", help="run flows under seeded misfortune")
    simulate.add_argument("--flow")
    simulate.add_argument("--event")
    simulate.add_argument("--data")
    simulate.add_argument("--seeds", type=_positive, default=SEEDS)
    simulate.add_argument("--seed", type=int)
    simulate.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1)
    simulate.add_argument("--trace", action="store_true")
    simulate.add_argument("--json", action="store_true", dest="as_json")


def simulate(given: argparse.Namespace) -> int:
    """Carries the subcommand out. Raises UsageError where there is nothing to simulate."""
    data = None if given.data is None else read_data(given.data)
    found = library()
    for problem in found.problems:
        _leave_out(str(problem))
    asked = Asked(given.flow, given.event, given.data)
    plans = [plan_of(subject) for subject in subjects(asked, data, found, _leave_out)]
    seeds = range(given.seeds) if given.seed is None else range(given.seed, given.seed + 1)
    outcomes = _gathered(plans, played(plans, seeds, given.jobs), len(plans) * len(seeds))
    broken = [(each.plan, seed) for each in outcomes for seed, _ in each.broken]
    told = broken[0] if broken else (plans[0], seeds[0])
    if given.as_json:
        story = {"story": story_as_json(verdict_of(*told))} if given.trace else {}
        print_json({**as_json(outcomes), **story})
    else:
        _show(outcomes, told if given.trace else None)
    return 1 if broken else 0


def _leave_out(why: str) -> None:
    complain(f"[yellow]left out:[/] {safe(why)}")


def _show(outcomes: list[Outcome], told: tuple[Plan, int] | None) -> None:
    if told is not None:
        plan, seed = told
        say(f"[bold]{safe(plan.subject.name)}, seed {seed}[/]")
        show_story(verdict_of(plan, seed))
        say("")
    show(outcomes)
    for outcome in outcomes:
        _show_uncompared(outcome.plan)


def _show_uncompared(plan: Plan) -> None:
    what = "steps" if plan.alone else "outputs"
    told = f"{safe(plan.subject.name)}: {what} differ from run to run by themselves"
    if plan.alone and plan.endings is not None:
        say(f"[dim]{told} where there are two events, and are compared where there is one")
    elif plan.alone or not plan.exact:
        say(f"[dim]{told} and are not compared")


def _gathered(plans: list[Plan], results: Iterable[Played], total: int) -> list[Outcome]:
    outcomes = [Outcome(plan) for plan in plans]
    progress = _progress() if err.is_terminal else None
    with progress or nullcontext():
        task = progress.add_task("simulating", total=total) if progress else None
        for result in results:
            outcome = outcomes[result.plan]
            outcome.seeds += 1
            outcome.seconds += result.seconds
            outcome.statistics.update(result.statistics)
            if result.violations:
                outcome.broken.append((result.seed, result.violations))
            if progress is not None and task is not None:
                progress.advance(task)
    return outcomes


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=err, transient=True)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
