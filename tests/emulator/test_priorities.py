"""Runs of every priority on the local system, on engines with filters and without."""

from __future__ import annotations

from pathlib import Path

from tests.emulator.harness import Harness


async def test_runs_of_every_priority_get_through_and_nothing_comes_twice(system: Harness) -> None:
    priorities = ("high", "normal", "low")
    events = [await system.publish("test.ranked", {"priority": each}) for each in priorities]
    runs = [await system.only_run(event_id) for event_id in events]

    assert {run["status"] for run in runs} == {"succeeded"}
    assert {step["attempts"] for run in runs for step in run["steps"].values()} == {1}
    log = Path(system.state.log).read_text("utf-8").splitlines()
    for run in runs:
        attempts = [line for line in log if '"stage_attempt"' in line and run["run_id"] in line]
        assert len(attempts) == 4, attempts  # route, compose, generate, act
