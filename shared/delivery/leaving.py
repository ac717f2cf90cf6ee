"""How the work on a step ends where it has to wait: for a person, or for a run of another flow.

Nobody holds the step meanwhile. Decides nothing about what ends the wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from shared.domain.waiting import Awaited


async def _nothing() -> None:
    """What follows where only others have something to do."""


class Left(Exception):
    """The step waits from now on. `outcome` is what is noted of this try, `changed` what its record
    says of the wait; `follow` is called once that is recorded, and again where it is repeated.
    """

    def __init__(
        self,
        changed: Mapping[str, Any],
        outcome: str,
        follow: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        super().__init__(outcome)
        self.changed = changed
        self.outcome = outcome
        self.follow = follow


class LeftToPerson(Left):
    """The step waits for a person."""

    def __init__(self, awaited: Awaited, outcome: str) -> None:
        super().__init__({"awaited": awaited}, outcome)
