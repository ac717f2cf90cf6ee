"""What people, and the world outside, tell the runs of a case: early or late, and more than once.

They look first, as the command line does: nobody tells a run that is not there. A run that has
been redriven since is told again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from shared.domain.commands import Signal
from shared.domain.envelope import Message
from shared.testing.simulator.case import Case, Told
from shared.testing.simulator.endings import records
from shared.testing.simulator.engine import Engine
from shared.testing.simulator.fate import Fate
from shared.testing.simulator.invariants import Watch

_LOOK = 0.2  # seconds between two looks for runs that are new
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
        async with asyncio.TaskGroup() as group:
            while self._case.told:
                await asyncio.sleep(_LOOK)
                for run_id, run in records(watch.documents, "runs"):
                    life = run_id, run["redrives"]
                    if run["status"] == "running" and life not in told:
                        told.add(life)
                        for one in self._case.told:
                            if one.flow == run["flow"]:
                                group.create_task(self._say(one, run_id))

    async def _say(self, one: Told, run_id: str) -> None:
        message = Message(json.dumps(_data(one, run_id)).encode(), _attributes(one, run_id))
        for _ in range(self._fate.weather.publications):
            await asyncio.sleep(self._fate.seconds(0, _SPREAD))
            await self._engine.bus.publish("events", [message])


def _data(one: Told, run_id: str) -> Mapping[str, object]:
    if one.happens:
        return {"run": run_id}
    return {"run": run_id, "name": one.name, "data": one.data, "by": one.by}


def _attributes(one: Told, run_id: str) -> Mapping[str, str]:
    kind = one.name if one.happens else Signal.type
    return {"ce-type": kind, "ce-id": f"{run_id}-{one.name}", "ce-time": _AT}
