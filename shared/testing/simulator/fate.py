"""Draws misfortune from a seed, tells the story of it, and counts it.

Knows the odds, not what is done about what it draws. After `most` misfortunes nothing goes wrong.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Literal

from shared.delivery.crashpoints import Point
from shared.testing.simulator.instance import CURRENT, Instance, Killed, stall
from shared.testing.simulator.story import Story
from shared.testing.simulator.weather import Odds, Service, Weather

Fault = Literal["none", "refused", "aborted", "lost", "repeated"]
_FAULTS: tuple[Fault, ...] = ("refused", "aborted", "lost", "repeated")
_TOLD: Mapping[Fault, str] = {
    "refused": "{call} is refused",
    "aborted": "{call} is aborted",
    "lost": "{call} is done, its answer lost",
    "repeated": "{call} is sent twice",
}
_STALLS = (20.0, 70.0, 310.0, 700.0)  # seconds: within a budget, past each ack deadline, past all


class Fate:
    """What happens to whom. `met` counts misfortunes by kind."""

    def __init__(self, seed: int, weather: Weather, story: Story) -> None:
        self.weather = weather
        self.met: Counter[str] = Counter()
        self.story = story
        self._random = Random(f"fate {seed}")
        self._spared = weather.spared
        self._left = weather.most

    # -- draws ------------------------------------------------------------------------------

    def strikes(self, odds: float, what: str, who: str, told: str = "") -> bool:
        """Whether a misfortune happens now."""
        if self._left <= 0 or odds <= 0 or self._random.random() >= odds:
            return False
        return not self._is_spared() and self._struck(what, who, told or what)

    def _is_spared(self) -> bool:
        self._spared -= 1
        return self._spared >= 0

    def _struck(self, what: str, who: str, told: str) -> bool:
        self._left -= 1
        self.met[what] += 1
        self.story.tell(who, "misfortune", told)
        return True

    def fault(self, service: Service, call: str, who: str) -> Fault:
        """What happens to a call to a service."""
        if self._is_out(service):
            self.story.tell(who, "misfortune", f"{call} is refused: outage of the {service}")
            self.met["outage"] += 1
            return "refused"
        if self._left <= 0:
            return "none"
        odds: Odds = getattr(self.weather, service)
        drawn = self._random.random()
        for kind in _FAULTS:
            drawn -= getattr(odds, kind)
            if drawn < 0:
                if self._is_spared():
                    break
                self._struck(kind, who, _TOLD[kind].format(call=call))
                return kind
        return "none"

    def _is_out(self, service: Service) -> bool:
        outage = self.weather.outage
        if outage is None or outage.service != service:
            return False
        past = asyncio.get_running_loop().time() - outage.start
        return 0 <= past < outage.length

    def seconds(self, low: float, high: float) -> float:
        """A duration in whole microseconds."""
        return self._random.randint(int(low * 1e6), int(high * 1e6)) / 1e6

    def below(self, number: int) -> int:
        return self._random.randrange(number)

    def token(self) -> str:
        return f"{self._random.getrandbits(64):016x}"

    # -- what happens to a process ----------------------------------------------------------

    async def travel(self, instance: Instance) -> None:
        """The way to a service: it takes some time."""
        usual = self.weather.latency
        await asyncio.sleep(self.seconds(usual / 10, usual) if usual else 0)
        instance.check()

    async def may_stall(self, instance: Instance) -> None:
        """Now and then a process hears nothing for a very long time."""
        if self.weather.stall:
            seconds = _STALLS[self.below(len(_STALLS))]
            told = f"stands still for {seconds:g} s"
            if self.strikes(self.weather.stall, "stall", instance.name, told):
                excuse()
                await stall(instance, seconds)
        instance.check()

    def may_kill(self, instance: Instance, where: str) -> None:
        """Raises Killed where the process dies here."""
        if self.strikes(self.weather.death, "death", instance.name, f"dies {where}"):
            instance.kill()
            raise Killed

    def at(self, point: Point) -> None:
        """The hook of the crash points: each is one more place to die in."""
        work = CURRENT.get()
        if work is not None:
            work.instance.check()
            self.may_kill(work.instance, f"at {point!r}")


def excuse() -> None:
    """The work at hand has met what may make one more model call necessary."""
    work = CURRENT.get()
    if work is not None:
        work.excuses += 1
