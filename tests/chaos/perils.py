"""Pauses and deaths around every call to a port, drawn from a seed."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from shared.delivery.crashpoints import Point
from shared.testing.faults import Odds
from shared.testing.memory import ManualClock
from shared.testing.pipeline import Crash, Manners


@dataclass(frozen=True)
class Weather:
    """What a seed means: the odds of everything that can go wrong."""

    faults: Odds
    most_faults: int
    death: float
    most_deaths: int
    pauses: int
    slowness: float
    ticks: float
    publications: int
    manners: Manners


def weather_of(random: Random) -> Weather:
    """From nearly fair to foul."""
    foul = random.choice((0.0, 0.03, 0.1, 0.25))
    return Weather(
        faults=Odds(before=foul * random.random(), lost=foul * random.random(), repeated=foul / 4),
        most_faults=random.randint(0, 10),
        death=random.choice((0.0, 0.02, 0.1)),
        most_deaths=random.randint(0, 6),
        pauses=random.choice((1, 3, 8)),
        slowness=random.choice((0.0, 0.0, 0.1)),
        ticks=0.1,
        publications=random.randint(1, 3),
        manners=Manners(
            duplicates=random.choice((0.0, 0.1, 0.25)),
            overtaken=random.choice((0.0, 0.0, 0.5)),
            at_once=random.choice((1, 2, 6)),
            counts_attempts=random.random() < 0.75,
        ),
    )


class Perils:
    """Draws pauses and deaths. `slow` counts model calls that outlasted every lease.

    Where a `tick` is set, it is awaited every now and then.
    """

    def __init__(self, random: Random, weather: Weather, clock: ManualClock) -> None:
        self.slow = 0
        self.tick: Callable[[], Awaitable[object]] | None = None
        self._random = random
        self._weather = weather
        self._clock = clock
        self._deaths = weather.most_deaths

    def at(self, point: Point) -> None:
        """The hook of the crash points."""
        del point  # each is as dangerous as the next
        self.maybe_die()

    def maybe_die(self) -> None:
        drawn = self._random.random()
        if self._deaths > 0 and drawn < self._weather.death:
            self._deaths -= 1
            raise Crash

    async def pause(self) -> None:
        for _ in range(self._random.randrange(self._weather.pauses)):
            await asyncio.sleep(0)

    async def maybe_tick(self) -> None:
        if self.tick is not None and self._random.random() < self._weather.ticks:
            await self.tick()

    async def maybe_be_slow(self) -> None:
        if self._random.random() < self._weather.slowness:
            self.slow += 1
            self._clock.advance(400)
            await self.pause()


class Perilous:
    """Any port: calls take a while, and the process may die before or after each of them."""

    def __init__(self, port: Any, perils: Perils) -> None:
        self._port = port
        self._perils = perils

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **more: Any) -> Any:
            await self._perils.pause()
            self._perils.maybe_die()
            result = await found(*args, **more)
            await self._perils.maybe_tick()
            if name == "generate":
                await self._perils.maybe_be_slow()
            await self._perils.pause()
            self._perils.maybe_die()
            return result

        return call
