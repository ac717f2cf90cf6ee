"""A scheduled flow on the local system: started by the ticker when it is due, or by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.engine_choice import EngineName
from shared.delivery.runs.report import report_of
from shared.domain.records import RunStatus
from shared.ports import Query
from tests.emulator.harness import Harness


@pytest.fixture
def written(system: Harness) -> Iterator[Path]:
    """A flow written while the system runs, due in ten minutes and then in a year."""
    due = system.clock.now() + timedelta(minutes=10)
    cron = f"{due.minute} {due.hour} {due.day} {due.month} *"
    path = system.prompts / "flows" / "yearly.yaml"
    path.write_text(
        "flow: yearly\n"
        f"on: {{schedule: {{cron: '{cron}', data: {{report: yearly}}}}}}\n"
        "steps: {a: {action: log.write, with: {message: '{{ event.subject }}'}}}\n"
        "outputs: {report: '{{ event.data.report }}'}\n",
        "utf-8",
    )
    yield path
    path.unlink()


async def ended_ticks(system: Harness) -> list[dict[str, Any]] | None:
    """The runs that ticks have started, once there are some and all have ended."""
    found = await system.store.find(Query("runs", (("flow", "==", "yearly"),)))
    ticks = [run.name for run in found if run.data["event_id"].startswith("yearly@")]
    reports = [await report_of(run_id, system.deps) for run_id in ticks]
    over = all(RunStatus(report["status"]).is_final for report in reports)
    return reports if reports and over else None


@pytest.mark.usefixtures("written")
async def test_a_flow_starts_when_it_is_due(system: Harness) -> None:
    assert await ended_ticks(system) is None
    system.clock.advance(timedelta(minutes=11))
    [run] = await system.eventually(lambda: ended_ticks(system), "the tick's run")

    assert (run["status"], run["outputs"]) == ("succeeded", {"report": "yearly"})
    assert run["event"]["type"] == "segue.schedule.due"


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("system", [EngineName.EMBEDDED], indirect=True, ids=str)
async def test_a_schedule_is_fired_by_hand_and_waited_for(system: Harness) -> None:
    code, told, _ = await system.segue("flows", "fire", "yearly", "--wait", "--json")

    assert code == 0
    [run] = json.loads(told)["runs"]
    assert (run["status"], run["outputs"]) == ("succeeded", {"report": "yearly"})
