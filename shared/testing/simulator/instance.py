"""A process of a stage: killed at any await it ends for good, and has no effect any more.

Knows no stage's logic and draws nothing; `misfortune` decides when it dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field

from shared.ports import StageReport


class Killed(BaseException):
    """Ends what a process was doing when it died. Stages cannot catch it."""


@dataclass(eq=False)
class Work:
    """One push in the hands of an instance. `told` is the stage's report, once it is through.

    `tried` are the models that it has turned to. `given_up` is set when the broker sends the
    message to somebody else meanwhile; `excuses` counts what the work met that may make one more
    model call necessary; `asked` is set when it has made one, `babbles` when that was answered
    with nonsense.
    """

    instance: Instance
    subscription: str
    message_id: str
    data: bytes
    attributes: Mapping[str, str]
    attempt: int | None
    asked: bool = False
    given_up: bool = False
    excuses: int = 0
    told: StageReport | None = None
    tried: set[str] = field(default_factory=set)
    babbles: bool = False

    @property
    def step(self) -> tuple[str, str] | None:
        """(run, step) where the message names them."""
        run, step = self.attributes.get("segue-run"), self.attributes.get("segue-step")
        return None if run is None or step is None else (run, step)


CURRENT: ContextVar[Work | None] = ContextVar("CURRENT", default=None)


@dataclass(eq=False)
class Instance:
    """A process. `skew` is how far, in seconds, its clock is off; a retired one gets no more work.

    `tasks` are the deliveries it is working on.
    """

    name: str
    skew: float = 0.0
    alive: bool = True
    retired: bool = False
    tasks: dict[asyncio.Task[object], Work] = field(default_factory=dict)

    def check(self) -> None:
        """Raises Killed where the process has ended: it can do nothing any more."""
        if not self.alive:
            raise Killed

    def kill(self) -> None:
        """Ends the process wherever its tasks are waiting. The caller must not go on."""
        self.alive = False
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()


async def stall(instance: Instance, seconds: float) -> None:
    """The process stands still, timers and all, and then goes on as if no time had passed.

    What would have cut the work short meanwhile is noticed too late, as it is by a process that
    was denied its CPU. Only death ends a stall.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(until - loop.time())
        instance.check()
