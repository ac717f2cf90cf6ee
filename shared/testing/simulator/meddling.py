"""Somebody who cancels, pauses and resumes runs, at moments that the seed draws.

Asks by events, as people do. Must not know how a run is stopped.
"""

from __future__ import annotations

import asyncio
import json

from shared.domain.commands import Cancel, Command, Pause, Resume
from shared.domain.envelope import Message
from shared.domain.records import run_path
from shared.ports import Bus
from shared.testing.simulator.endings import records
from shared.testing.simulator.fate import Fate
from shared.testing.simulator.invariants import Watch

_LOOKS = 5  # for a run that goes on
_SPANS = (5.0, 50.0)  # within which they act, by how long a usual call takes
_LONG = 90.0  # seconds, where work is put off
_PAUSES = (0.2, 5.0, 600.0)  # seconds


class Meddler:
    """`is_through` when they have done what they do. `redriven` counts the runs resumed again."""

    def __init__(self, bus: Bus, fate: Fate) -> None:
        self.is_through = False
        self._bus = bus
        self._fate = fate
        self._said = 0

    async def meddle(self, watch: Watch) -> None:
        weather = self._fate.weather
        if weather.pauses:
            await self._pause(watch)
        if weather.cancels:
            await self._cancel(watch)
        self.is_through = True

    async def resume_paused(self, watch: Watch) -> int:
        """For those whom a pause has reached after they were resumed; returns how many."""
        paused = [run for run, fields in _running(watch).items() if fields.get("paused_at")]
        for run in paused:
            await self._say(Resume, run)
        return len(paused)

    async def _pause(self, watch: Watch) -> None:
        run = await self._chosen(watch)
        if run is not None:
            await self._say(Pause, run)
            await asyncio.sleep(_PAUSES[self._fate.below(len(_PAUSES))])
            await self._say(Resume, run)

    async def _cancel(self, watch: Watch) -> None:
        run = await self._chosen(watch)  # of a child, its parent would fail for good
        if run is not None and not watch.documents[run_path(run)].get("parent"):
            watch.unwanted.add(run)
            await self._say(Cancel, run)

    async def _chosen(self, watch: Watch) -> str | None:
        """A run that goes on, some time from now; None where there is none for long."""
        latency = self._fate.weather.latency
        spans = (*(span * latency + 0.5 for span in _SPANS), _LONG)
        span = spans[self._fate.below(len(spans))]
        for _ in range(_LOOKS):
            await asyncio.sleep(self._fate.seconds(0, span))
            running = sorted(_running(watch))
            if running:
                return running[self._fate.below(len(running))]
        return None

    async def _say(self, kind: type[Command], run: str) -> None:
        self._said += 1
        self._fate.met[kind.type] += 1
        self._fate.story.tell("operator", "operator", f"asks for {kind.type} of {run}")
        attributes = {"ce-type": kind.type, "ce-id": f"said-{self._said}"}
        message = Message(json.dumps({"run": run}).encode(), attributes)
        for _ in range(self._fate.weather.publications):
            await self._bus.publish("events", [message])


def _running(watch: Watch) -> dict[str, dict[str, object]]:
    return {
        run_id: dict(run)
        for run_id, run in records(watch.documents, "runs")
        if run["finished_at"] is None
    }
