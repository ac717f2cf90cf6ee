"""What people and clocks do while the stages work: publish, sweep, deploy, and redrive what failed.

An operator's command is a process too: it may die, and is then started again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress

from shared.delivery.deps import Deps
from shared.delivery.letters.redrive import redrive
from shared.domain.envelope import Message
from shared.domain.records import run_path
from shared.domain.starts.schedules import tick_attributes
from shared.errors import Conflict, RedriveRefusedError, Transient
from shared.testing.simulator.case import Case
from shared.testing.simulator.endings import records
from shared.testing.simulator.engine import Engine
from shared.testing.simulator.fate import Fate
from shared.testing.simulator.instance import Instance, Killed
from shared.testing.simulator.invariants import Watch
from shared.testing.simulator.laws.undo import is_undone
from shared.testing.simulator.pending import is_something_due

GARBAGE = b"\x00 no message of any stage"
EVENTS = ("e1", "e2")
_TRIES = 60  # of one command; misfortune ends before
_PAUSE = 60.0  # seconds between two tries of a command
_SPREAD = 2.0  # seconds over which copies of an event are published
_TICKS = {"content-type": "application/json"}  # as Cloud Scheduler sends them to `sweep`
_TICK = 60.0  # seconds between two ticks of a schedule


class Operator:
    """Acts on one engine in one weather. `redriven` counts the runs that had to be."""

    def __init__(
        self, case: Case, engine: Engine, fate: Fate, build: Callable[[Instance], Deps]
    ) -> None:
        self.redriven = 0
        self.garbage: tuple[bytes, ...] = ()
        self._case = case
        self._engine = engine
        self._fate = fate
        self._build = build

    async def publish(self) -> None:
        """The event, under one or two ids, each as often as the weather says."""
        fate, weather = self._fate, self._fate.weather
        copies = [
            event_id for event_id in EVENTS[: weather.events] for _ in range(weather.publications)
        ]
        if weather.garbage:
            self.garbage = (GARBAGE,)
            topic = ("compose", "generate", "act")[fate.below(3)]
            await self._engine.bus.publish(topic, [Message(GARBAGE)])
        await asyncio.gather(*(self._publish_one(event_id) for event_id in copies))

    async def _publish_one(self, event_id: str) -> None:
        if self._fate.weather.publications > 1:
            await asyncio.sleep(self._fate.seconds(0, _SPREAD))
        attributes = {"ce-type": self._case.event_type, "ce-id": event_id}
        if self._case.scheduled is not None:
            attributes = tick_attributes(self._case.scheduled)
            await asyncio.sleep(_TICK * EVENTS.index(event_id))
        data = json.dumps(self._case.data).encode()
        await self._engine.bus.publish("events", [Message(data, attributes)])

    async def sweep(self, watch: Watch) -> None:
        """Cloud Scheduler's tick, for ever; left out while nothing waits for the time to pass."""
        while True:
            await asyncio.sleep(self._fate.weather.sweep_every)
            has_deadline = any(run["deadline"] for _, run in records(watch.documents, "runs"))
            if has_deadline or is_something_due(watch.documents):
                await self._engine.bus.publish("sweep", [Message(b"", _TICKS)])

    async def redrive_failed(self, watch: Watch) -> int:
        """Redrives every run that has failed and every other open letter; returns how many."""
        failed = {
            run_id: run
            for run_id, run in records(watch.documents, "runs")
            if run["status"] == "failed" and not is_undone(watch.documents, run_id)
        }
        letters = {
            letter_id: letter["run_id"]
            for letter_id, letter in records(watch.documents, "dead_letters")
            if letter["status"] == "open" and letter["data"] not in self.garbage
        }
        for run_id, run in failed.items():
            done = await self._redrive(self._name(run_id, letters))
            if not done or watch.documents[run_path(run_id)]["redrives"] == run["redrives"]:
                watch.note("dead-letters", f"{run_id} could not be redriven")
        others = [
            letter_id
            for letter_id, run_id in letters.items()
            if run_id not in failed and not is_undone(watch.documents, str(run_id))
        ]
        for name in others:
            if not await self._redrive(name):
                watch.note("dead-letters", f"{name} could not be redriven")
        self.redriven += len(failed) + len(others)
        return len(failed) + len(others)

    def _name(self, run_id: str, letters: Mapping[str, str | None]) -> str:
        """A run's own id or that of one of its open letters: either must do."""
        own = [letter_id for letter_id, stopped in letters.items() if stopped == run_id]
        return own[self._fate.below(len(own))] if own and self._fate.below(4) else run_id

    async def _redrive(self, name: str) -> bool:
        self._fate.story.tell("operator", "operator", f"redrives {name}")
        for _ in range(_TRIES):
            deps = self._build(Instance("operator"))
            try:
                with suppress(Killed, Transient, Conflict):
                    await redrive(name, deps)
                    return True
            except RedriveRefusedError:  # an earlier try had gone further than it could tell
                return True
            await asyncio.sleep(_PAUSE)
        return False
