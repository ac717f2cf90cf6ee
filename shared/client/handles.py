"""What a client holds in its hand: an event that was published, and a run.

Handles are ids and know how to wait; all state is in Firestore, so any other handle is as good.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from shared.client import commanding
from shared.client.changes import Change
from shared.client.errors import (
    EventBuriedError,
    NotStartedError,
    StillRunningError,
    ending_error,
)
from shared.client.following import Follower
from shared.client.pace import Pace, Turns
from shared.client.routing import Routed, look_at
from shared.client.sending import Ports, Sent
from shared.client.starting import plain
from shared.client.stopping import shown
from shared.delivery.commands.commanding import RunUnknownError
from shared.domain.commands import Cancel, Pause, Resume
from shared.domain.records import RunRecord, RunStatus, run_path
from shared.typed.flow import Flow, Stop
from shared.typed.results import stop_event

APPEARS_WITHIN = 30.0  # seconds that a run may take to be opened, where nothing else can tell


@dataclass(frozen=True)
class Link:
    """What all handles of one client share."""

    ports: Ports
    turns: Turns = field(default_factory=Turns)
    random: Random = field(default_factory=Random)

    def pace(self) -> Pace:
        return Pace(self.turns, self.random)


class Published:
    """An event that the broker has taken."""

    def __init__(self, link: Link, sent: Sent) -> None:
        self._link = link
        self._sent = sent
        self.event_id = sent.event.id
        self.type = sent.event.type
        self.correlation_id = sent.event.correlation_id

    def __repr__(self) -> str:
        return f"<event {self.event_id} of type {self.type}>"

    async def runs(self, *, timeout: float | None = None) -> list[Run]:  # noqa: ASYNC109 - as futures have it
        """The runs that the event has started, once it is stored; none where no flow takes it.

        `timeout` is in seconds. Raises EventBuriedError, StillRunningError, UnreachableError.
        """
        async with _within(timeout, f"event {self.event_id} has not been routed"):
            pace = self._link.pace()
            while True:
                routed = await pace.look(lambda: look_at(self._sent.event, self._link.ports.store))
                if routed is not None and routed.runs is not None:
                    return [Run(self._link, run_id, self._sent) for run_id in routed.runs]
                _require_alive(routed, self._sent)
                await pace.wait()


class Run:
    """A run, opened or about to be."""

    def __init__(self, link: Link, run_id: str, sent: Sent | None = None) -> None:
        self._link = link
        self._sent = sent
        self.run_id = run_id

    def __repr__(self) -> str:
        return f"<run {self.run_id}>"

    async def status(self) -> RunStatus | None:
        """The state it is in now, for one read; None where it has not been opened."""
        found = await self._link.pace().look(self._record)
        return found.status if found is not None else None

    async def result(self, *, timeout: float | None = None) -> dict[str, Any]:  # noqa: ASYNC109 - as futures have it
        """The run's outputs, once it has succeeded.

        `timeout` is in seconds; the run goes on when they are over. Costs one read a look. Raises
        RunFailedError, RunRefusedError, RunCancelledError, StillRunningError, UnreachableError;
        NotStartedError, EventBuriedError or RunUnknownError where there is and will be no run.
        """
        async with _within(timeout, f"run {self.run_id} has not ended"):
            run = await self._ended()
        error = ending_error(run)
        if error is not None:
            raise error
        return run.outputs if isinstance(run.outputs, dict) else {}

    async def result_of(
        self,
        flow: type[Flow[Any, Stop]],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as futures have it
    ) -> Stop:
        """The StopEvent of a run of this typed flow, once it has succeeded.

        Raises what `result` raises, and NoStopEventError.
        """
        return stop_event(flow, await self.result(timeout=timeout))

    async def progress(self) -> AsyncIterator[Change]:
        """All that the run went through from its beginning, then what happens, until it has ended.

        Whatever the outcome, the last change is the run's end. Each state of a step comes once for
        each attempt, and each progress event that a step emits once. Raises what `result` raises
        before a run is there, and UnreachableError.
        """
        pace, follower = self._link.pace(), Follower(self._link.ports)
        while True:
            news = await pace.look(lambda: self._news(pace, follower))
            for change in news or ():
                pace.stir()
                yield change
                if change.is_end:
                    return
            await pace.wait()

    async def signal(self, name: str, data: Any = None, *, by: str | None = None) -> None:
        """Tells the run what a step waits for; one that is early is kept.

        Waits for a run that was just started to be opened, and returns when the broker has it.
        Raises SignalRefusedError where the run cannot take it, RunUnknownError, EventRefusedError,
        UnreachableError.
        """
        await self._is_there()
        await commanding.signal(self.run_id, name, plain(data), by, self._link.ports)

    async def approve(
        self, step: str, *, by: str | None = None, comment: str | None = None
    ) -> None:
        """Approves what a step waits for. Raises as `signal`."""
        await self._decide(step, by, comment, approved=True)

    async def reject(self, step: str, *, by: str | None = None, comment: str | None = None) -> None:
        """Rejects what a step waits for: the step fails. Raises as `signal`."""
        await self._decide(step, by, comment, approved=False)

    async def _decide(
        self, step: str, by: str | None, comment: str | None, *, approved: bool
    ) -> None:
        await self._is_there()
        ports = self._link.ports
        await commanding.decide(
            self.run_id, step, approved=approved, by=by, comment=comment, ports=ports
        )

    async def cancel(self, *, reason: str | None = None, by: str | None = None) -> None:
        """Ends the run as cancelled; returns when it has ended so.

        Waits for a run that was just started to be opened. Raises RunEndedError where it has
        ended already, NotObeyedError, UnreachableError.
        """
        await self._stop(Cancel(run=self.run_id, reason=reason, by=by))

    async def pause(self, *, reason: str | None = None, by: str | None = None) -> None:
        """Lets nothing more begin in the run; what has begun is finished.

        Raises as `cancel`, and PauseRefusedError where it is paused already.
        """
        await self._stop(Pause(run=self.run_id, reason=reason, by=by))

    async def resume(self, *, by: str | None = None) -> None:
        """Lets a paused run go on. Raises as `cancel`, and PauseRefusedError where it is not."""
        await self._stop(Resume(run=self.run_id, by=by))

    async def _stop(self, command: Cancel | Pause | Resume) -> None:
        await self._is_there()
        await commanding.order(command, self._link.ports)
        await shown(command, self._link.ports, self._link.pace())

    async def _is_there(self) -> None:
        """Returns when a run that this client has started is opened."""
        pace = self._link.pace()
        while self._sent is not None and not await pace.look(lambda: self._opened(pace)):
            await pace.wait()

    async def _ended(self) -> RunRecord:
        pace = self._link.pace()
        while True:
            run = await pace.look(lambda: self._opened(pace))
            if run is not None and run.status.is_final:
                return run
            await pace.wait()

    async def _news(self, pace: Pace, follower: Follower) -> list[Change]:
        run = await self._opened(pace)
        return await follower.news(run) if run is not None else []

    async def _opened(self, pace: Pace) -> RunRecord | None:
        """None while it may still be opened; raises where it will not."""
        record = await self._record()
        if record is None:
            await self._require_coming(pace)
        return record

    async def _record(self) -> RunRecord | None:
        found = await self._link.ports.store.get(run_path(self.run_id))
        return RunRecord.of(found.data) if found is not None else None

    async def _require_coming(self, pace: Pace) -> None:
        if self._sent is None:
            if pace.waited > APPEARS_WITHIN:
                raise RunUnknownError(f"there is no run {self.run_id!r}")
            return
        routed = await look_at(self._sent.event, self._link.ports.store)
        _require_alive(routed, self._sent)
        if routed.runs is None or self.run_id in routed.runs:
            return
        # The event was stored without it: by this publication, or by an earlier one after which
        # this one is still to be decided on.
        if routed.message_id == self._sent.message_id or pace.waited > APPEARS_WITHIN:
            raise NotStartedError(f"event {self._sent.event.id!r} has not started {self.run_id}")


def _require_alive(routed: Routed | None, sent: Sent) -> None:
    if routed is not None and routed.letter is not None:
        about = f"event {sent.event.id!r} became dead letter {routed.letter.letter_id}"
        raise EventBuriedError(f"{about}: {routed.letter.error.message}")


@asynccontextmanager
async def _within(seconds: float | None, complaint: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise StillRunningError(f"{complaint} within {seconds:g} s") from error
