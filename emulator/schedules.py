"""The schedules of flows on a local system: publishes their ticks as Cloud Scheduler would.

Flows are read anew each time, so that an edited schedule counts at once. What became due while the
machine slept is left to the check for missed ticks. Must not know what a tick starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from google.api_core.exceptions import GoogleAPIError
from google.pubsub_v1 import PublisherAsyncClient
from google.pubsub_v1 import types as pubsub

from shared.domain.envelope import Message
from shared.domain.flow import ScheduleTrigger
from shared.domain.starts.cron import next_due
from shared.domain.starts.schedules import CHECKS, Schedule, check_message, tick
from shared.prompting.library import Library
from shared.runtime.watched_library import library_reader

Publish = Callable[[Message], Awaitable[None]]


class Ticker:
    """Publishes, at each `pulse`, what has become due since the one before."""

    def __init__(
        self, library: Callable[[], Library], publish: Publish, now: Callable[[], datetime]
    ) -> None:
        self._library = library
        self._publish = publish
        self._now = now
        self._seen = now()
        self._due: dict[str, tuple[Schedule, datetime]] = {}
        self._next_check = self._seen

    async def pulse(self) -> None:
        """What could not be published stays due, for the next pulse."""
        now = self._now()
        self._due = {flow: self._due_of(flow, schedule) for flow, schedule in self._schedules()}
        self._seen = now
        for flow, (schedule, due) in self._due.items():
            if due <= now:
                if now - due <= timedelta(seconds=schedule.grace):
                    await self._publish(tick(flow, schedule))
                self._due[flow] = schedule, _next(schedule, now)
        if self._due and self._next_check <= now:
            await self._publish(check_message())
            self._next_check = next_due(CHECKS, "Etc/UTC", now)

    async def run(self, every: float) -> None:
        """A pulse each `every` seconds, for ever."""
        while True:
            # A broker that is away, a file being replaced.
            with suppress(GoogleAPIError, OSError):
                await self.pulse()
            await asyncio.sleep(every)

    def _schedules(self) -> Iterator[tuple[str, Schedule]]:
        for name, version in self._library().flows.items():
            if isinstance(version.flow.on, ScheduleTrigger):
                yield name, version.flow.on.schedule

    def _due_of(self, flow: str, schedule: Schedule) -> tuple[Schedule, datetime]:
        """What is known of it already, as long as the schedule is the same."""
        known = self._due.get(flow)
        if known is not None and known[0] == schedule:
            return known
        return schedule, _next(schedule, self._seen)


def _next(schedule: Schedule, after: datetime) -> datetime:
    return next_due(schedule.cron, schedule.time_zone, after)


def ticker_of(
    prompts: Path, topic: str, publisher: PublisherAsyncClient, now: Callable[[], datetime]
) -> Ticker:
    """A ticker that publishes to a topic, given by its full name."""

    async def publish(message: Message) -> None:
        sent = pubsub.PubsubMessage(data=message.data, attributes=dict(message.attributes))
        await publisher.publish(topic=topic, messages=[sent], timeout=5)

    return Ticker(library_reader(prompts, reload=True), publish, now)
