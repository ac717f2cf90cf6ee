"""A program that starts runs which have to wait, or do not begin at all, hears of it."""

from __future__ import annotations

from typing import Any

import pytest

from shared.client import RunCancelledError, Segue
from shared.domain.records import RunStatus
from tests.functional.client import finished, played
from tests.functional.control import ORDER, controlled
from tests.functional.system import System


def test_a_result_waits_for_the_turn_of_its_run():
    system = System([controlled(f"{ORDER}\noutputs: {{key: '{{{{ event.data.key }}}}'}}")])

    async def story(segue: Segue) -> list[Any]:
        runs = [await segue.start("thing", {"key": "k"}, id=str(number)) for number in range(3)]
        while None in [await run.status() for run in runs]:
            await system.pipeline.step("route")
        waiting = [await run.status() for run in runs].count(RunStatus.WAITING)
        results = [await finished(system, run.result(timeout=60)) for run in runs]
        return [waiting, *results]

    assert played(system, story) == [2, *[{"key": "k"}] * 3]


@pytest.mark.parametrize(
    ("control", "code"),
    [
        ("concurrency: {limit: 1, over: drop}", "Dropped"),
        ("concurrency: {limit: 1, over: replace}", "Replaced"),
        ("debounce: {for: 1m}", "Debounced"),
    ],
)
def test_a_run_that_never_begins_says_why(control: str, code: str):
    system = System([controlled(control)])

    async def story(segue: Segue) -> str:
        runs = []
        for number in range(3):
            runs.append(await segue.start("thing", {"key": "k"}, id=str(number)))
            while await runs[-1].status() is None:
                await system.pipeline.step("route")
        statuses = [await run.status() for run in runs]
        with pytest.raises(RunCancelledError) as told:
            await runs[statuses.index(RunStatus.CANCELLED)].result(timeout=60)
        return str(told.value)

    assert f"{code}: " in played(system, story)
