"""kill -9 of the stage host at every named point of the protocol, on real servers.

A kill is asked for by a file; the host's own crash hook answers it with SIGKILL.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from tests.emulator.harness import Harness

RUNS_PER_POINT = 2  # every other one is cut down


@pytest.mark.parametrize("point", POINTS)
async def test_runs_survive_a_kill_at(point: Point, system: Harness) -> None:
    """One run after another, so that a kill cuts down one model call at most."""
    await system.forget_calls()
    kills = 0
    reports = []
    for number in range(RUNS_PER_POINT):
        ticket = system.crash_at(point) if number % 2 == 0 else None
        event_id = await system.publish("test.pair", {"point": point, "number": number})
        reports.append(await system.only_run(event_id, seconds=90))
        if ticket is not None:
            assert not ticket.exists(), f"nothing reached {point!r}"
            kills += 1

    assert {report["status"] for report in reports} == {"succeeded"}, reports
    _assert_each_step_recorded_once(reports)
    steps = sum(len(report["steps"]) for report in reports)
    assert steps <= await system.model_calls() <= steps + kills


async def test_thirty_runs_at_once_survive_a_kill_at_every_point(system: Harness) -> None:
    """Many calls in flight at each kill: those cut down are in the ledger as lost attempts."""
    await system.forget_calls()
    tickets = [system.crash_at(point) for point in POINTS]
    events = await asyncio.gather(*(system.publish("test.pair", {"n": n}) for n in range(30)))
    reports = await asyncio.gather(*(system.only_run(event, seconds=150) for event in events))

    assert not [ticket for ticket in tickets if ticket.exists()]
    assert {report["status"] for report in reports} == {"succeeded"}
    _assert_each_step_recorded_once(reports)
    steps = [step for report in reports for step in report["steps"].values()]
    cut_down = sum(attempt["outcome"] == "lost" for step in steps for attempt in step["ledger"])
    assert await system.model_calls() <= len(steps) + cut_down
    assert await system.letters() == [] or not [
        letter for letter in await system.letters() if letter.flow == "pair"
    ]


def _assert_each_step_recorded_once(reports: list[dict[str, Any]]) -> None:
    """One attempt of each step succeeded; all others were lost with the process."""
    for report in reports:
        for name, step in report["steps"].items():
            outcomes = [attempt["outcome"] for attempt in step["ledger"]]
            assert outcomes.count("succeeded") == 1, (report["run_id"], name, outcomes)
            assert set(outcomes) <= {"succeeded", "lost", "released"}, (name, outcomes)
