"""How often one looks: soon at first, then ever more seldom, and all waits of a client together no
more than so often. Knows nothing of what is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

from shared.client.errors import UnreachableError
from shared.errors import Transient

SOONEST, LATEST = 0.2, 15.0  # seconds from one look to the next
SHARE = 0.1  # of the time that nothing has stirred: so late at most is an end seen
LOOKS_PER_SECOND = 100.0
PATIENCE = 60.0  # seconds without any answer, after there has been one
_JITTER = 0.1
_T = TypeVar("_T")


class Turns:
    """The looks of all waits of one client, one after another."""

    def __init__(self, per_second: float = LOOKS_PER_SECOND) -> None:
        self._gap = 1 / per_second
        self._next = 0.0

    async def take(self) -> None:
        """Returns when it is somebody's turn."""
        now = _now()
        turn = max(now, self._next)
        self._next = turn + self._gap
        if turn > now:
            await asyncio.sleep(turn - now)


class Pace:
    """The looks of one wait. Made within the event loop."""

    def __init__(self, turns: Turns, random: Random) -> None:
        self._turns = turns
        self._random = random
        self._began = self._stirred = _now()
        self._answered: float | None = None

    @property
    def waited(self) -> float:
        """Seconds since the wait began."""
        return _now() - self._began

    def stir(self) -> None:
        """Something has changed: what comes next may come soon."""
        self._stirred = _now()

    async def look(self, look: Callable[[], Awaitable[_T]]) -> _T | None:
        """What a look gives; None where the system is away for a while.

        Raises UnreachableError where it never was there, or is away for longer than PATIENCE.
        """
        await self._turns.take()
        try:
            found = await look()
        except Transient as error:
            if self._answered is None or _now() - self._answered > PATIENCE:
                raise UnreachableError(error.detail) from error
            return None
        self._answered = _now()
        return found

    async def wait(self) -> None:
        """Until the next look."""
        seconds = min(max(SHARE * (_now() - self._stirred), SOONEST), LATEST)
        await asyncio.sleep(seconds * self._random.uniform(1 - _JITTER, 1))


def _now() -> float:
    return asyncio.get_running_loop().time()
