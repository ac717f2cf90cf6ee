"""The end of a run that somebody must hear of is heard, whatever dies on the way; others cost nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.delivery import hearing
from shared.delivery.aftermath import GRACE
from shared.delivery.crashpoints import POINTS, Point
from shared.domain.commands import RunEnded
from shared.domain.records import ParentRef, RunRecord
from shared.ports import Update
from tests.functional import calls
from tests.functional.system import EVENT, System, flow

STEPS = """
    a: {call: test.count, with: {name: a}}
    bad: {needs: a, call: test.count, with: {name: bad}}
"""


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How the runs ended that were heard of."""
    ends: list[str] = []

    async def listen(_found, run: RunRecord, *_: object) -> bool:
        ends.append(run.status.value)
        return True

    monkeypatch.setattr(hearing, "LISTENERS", (listen,))
    return ends


async def begun(steps: str = STEPS, more: str = "", *, parent: bool = True) -> System:
    """A run whose first step has been sent, as a step of another run would have opened it."""
    system = System([flow(steps, more=more)])
    await system.publish(EVENT)
    await system.pipeline.step("route")
    if parent:
        [run_id] = system.run_ids()
        found = await system.world.documents.get(f"runs/{run_id}")
        fields = {"parent": ParentRef(run_id="other", step="s"), "unheard": True}
        update = Update(found.path, RunRecord.fields_of(fields), found.revision)
        await system.world.documents.commit([update])
        for waiting in system.pipeline.collect():
            system.pipeline.take(waiting)
        await system.redrive_first()
    return system


def commands(system: System) -> list[str]:
    return [
        message.attributes["ce-id"]
        for topic, message, _ in system.world.messages.published
        if topic == "events" and message.attributes.get("ce-type") == RunEnded.type
    ]
