"""What people, and the world outside, tell the runs of a case: early or late, and more than once.

They look first, as the command line does: nobody tells a run that is not there. A run that has
been redriven since is told again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from shared.domain.agents.notes import CallMade
from shared.domain.commands import Signal
from shared.domain.envelope import Message
from shared.domain.records import run_path
from shared.testing.simulator.case import Case, Told
from shared.testing.simulator.endings import records
from shared.testing.simulator.engine import Engine, Fields
from shared.testing.simulator.fate import Fate
from shared.testing.simulator.invariants import Watch

_LOOK = 0.2, 60.0  # seconds between two looks for runs that are new: at first, and at most
_DECIDES = 7.0  # seconds between two looks for calls that wait for somebody
_SPREAD = 40.0  # seconds over which a run is told things
_AT = "2026-01-01T00:00:00Z"  # what is said is the same whenever it is said


class People:
    """Of one case in one weather."""

    def __init__(self, case: Case, engine: Engine, fate: Fate) -> None:
        self._case = case
        self._engine = engine
        self._fate = fate

    async def tell(self, watch: Watch) -> None:
        """For ever."""
        told: set[tuple[str, int]] = set()
        pause, most = _LOOK
        async with asyncio.TaskGroup() as group:
            while self._case.told:
                await asyncio.sleep(pause)
                new = [life for life in _lives(watch) if life not in told]
                told.update(new)
                pause = _LOOK[0] if new else min(2 * pause, most)
                for run_id, _ in new:
                    flow = watch.documents[run_path(run_id)]["flow"]
                    for one in self._case.told:
                        if one.flow == flow:
                            group.create_task(self._say(one, run_id))

    async def decide(self, watch: Watch) -> None:
        """Answers what calls of tools wait for, each time that one does. For ever."""
        said: set[tuple[str, int]] = set()
        async with asyncio.TaskGroup() as group:
            while any(version.tools for version in self._case.library.flows.values()):
                await asyncio.sleep(_DECIDES)
                for path, step in list(watch.documents.items()):
                    asked = (path, len(step.get("attempts") or ()))
                    if asked not in said and _is_asked(step):
                        said.add(asked)
                        group.create_task(self._answer(path, step))

    async def _answer(self, path: str, step: Fields) -> None:
        run_id, call = step["run_id"], CallMade.model_validate_json(step["agent"])
        data = self._case.decides(run_id, call, json.loads(step["awaited"])["what"])
        told = {"run": run_id, "name": step["step"], "data": data, "by": "ada"}
        event = f"{path}-{len(step['attempts'])}"
        attributes = {"ce-type": Signal.type, "ce-id": event, "ce-time": _AT}
        for _ in range(self._fate.weather.publications):
            await asyncio.sleep(self._fate.seconds(0, _SPREAD))
            message = Message(json.dumps(told).encode(), attributes)
            await self._engine.bus.publish("events", [message])

    async def _say(self, one: Told, run_id: str) -> None:
        message = Message(json.dumps(_data(one, run_id)).encode(), _attributes(one, run_id))
        for _ in range(self._fate.weather.publications):
            await asyncio.sleep(self._fate.seconds(0, _SPREAD))
            await self._engine.bus.publish("events", [message])


def _is_asked(step: Fields) -> bool:
    """Whether it is a call of a tool that waits for somebody."""
    waits = step.get("status") == "waiting" and step.get("child") is None
    return waits and '"kind":"call"' in (step.get("agent") or "")


def _lives(watch: Watch) -> list[tuple[str, int]]:
    """(id, redrives) of the runs that go on."""
    runs = records(watch.documents, "runs")
    return [(run_id, run["redrives"]) for run_id, run in runs if run["status"] == "running"]


def _data(one: Told, run_id: str) -> Mapping[str, object]:
    if one.happens:
        return {"run": run_id}
    return {"run": run_id, "name": one.name, "data": one.data, "by": one.by}


def _attributes(one: Told, run_id: str) -> Mapping[str, str]:
    kind = one.name if one.happens else Signal.type
    return {"ce-type": kind, "ce-id": f"{run_id}-{one.name}", "ce-time": _AT}
