"""The push dispatcher: takes deliveries from the broker, hands them to instances, tells the answer.

Leases, attempts and redelivery are the broker's own. Decides only what may happen on the way:
delays, duplicates, connections that break, answers that nobody hears.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.stage import Handle, receive
from shared.testing.simulator.engine import Broker, Leased, Platform
from shared.testing.simulator.fate import Fate
from shared.testing.simulator.instance import CURRENT, Instance, Killed, Work
from shared.testing.simulator.narration import told_of_answer, told_of_delivery
from shared.testing.simulator.virtual_loop import MICRO, VirtualLoop

Handling = Coroutine[Any, Any, int | None]
_AT_ONCE = 1000  # messages taken in one pull
_LATE = 30.0  # seconds, at most, that a late delivery takes


class Pool:
    """The instances of one stage: those that died or were retired are replaced by new ones."""

    def __init__(
        self, stage: str, size: int, limit: int, build: Callable[[Instance], Deps], fate: Fate
    ) -> None:
        self._stage = stage
        self._size = size
        self._limit = limit
        self._build = build
        self._fate = fate
        self._running: list[tuple[Instance, Deps]] = []
        self._started = 0

    def take(self) -> tuple[Instance, Deps] | None:
        """An instance with room for one more request; None where all are full."""
        self._running = [each for each in self._running if each[0].alive and not each[0].retired]
        while len(self._running) < self._size:
            self._running.append(self._start())
        free = [each for each in self._running if len(each[0].tasks) < self._limit]
        return free[self._fate.below(len(free))] if free else None

    def retire(self) -> None:
        """A new revision is deployed: the old instances finish what they have, and no more."""
        for instance, _ in self._running:
            instance.retired = True

    def _start(self) -> tuple[Instance, Deps]:
        self._started += 1
        skew = self._fate.weather.skew
        instance = Instance(
            f"{self._stage}#{self._started}", self._fate.seconds(0, skew) if skew else 0.0
        )
        return instance, self._build(instance)


class Dispatcher:
    """Serves every push subscription of an engine. `works` are all pushes ever made."""

    def __init__(
        self, loop: VirtualLoop, platform: Platform, broker: Broker, pushes: Mapping[str, str]
    ) -> None:
        self.works: list[Work] = []
        self.on_answer: Callable[[Work, int], None] = lambda _work, _status: None
        self._by_message: dict[tuple[str, str], list[Work]] = {}
        self._loop = loop
        self._handlers = platform.handlers
        self._broker = broker
        self._pushes = pushes
        self._pools: Mapping[str, Pool] = {}
        self._fate: Fate
        self._tasks: set[asyncio.Task[Any]] = set()
        self._rung: dict[str, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        broker.on_available = self._ring

    def open(self, pools: Mapping[str, Pool], fate: Fate) -> None:
        """From now on messages are delivered."""
        self._pools, self._fate = pools, fate
        for subscription in self._pushes:
            self._ring(subscription)

    @property
    def busy(self) -> bool:
        """Whether a delivery is on its way or at work."""
        return bool(self._tasks) or bool(self._rung)

    # -- the broker's side ------------------------------------------------------------------

    def _ring(self, subscription: str) -> None:
        if subscription in self._pushes:
            if not self._rung:
                self._loop.call_soon(self._pull)
            self._rung[subscription] = None

    def _pull(self) -> None:
        rung, self._rung = list(self._rung), {}
        for subscription in rung:
            for leased in self._broker.pull(subscription, _AT_ONCE):
                self._send(subscription, leased)
        self._set_timer()

    def _set_timer(self) -> None:
        """The broker does nothing by itself: it is woken when it said that it would have to do."""
        if self._timer is not None:
            self._timer.cancel()
        at = self._broker.next_event()
        if at is None:
            self._timer = None
            return
        wait = max(at - self._loop.micros(), 1) / MICRO
        self._timer = self._loop.call_later(wait, self._wake)

    def _wake(self) -> None:
        self._broker.advance()
        self._set_timer()

    def _settle(self, subscription: str, leased: Leased, status: int) -> None:
        if 200 <= status < 300:
            self._broker.acknowledge(subscription, [leased.ack_id])
        else:
            self._broker.modify_deadline(subscription, [leased.ack_id], 0)
            self._set_timer()

    # -- the way to a stage -----------------------------------------------------------------

    def _send(self, subscription: str, leased: Leased) -> None:
        stage, push = self._pushes[subscription], self._fate.weather.push
        self._start(self._deliver(subscription, leased, answers=True))
        if self._fate.strikes(push.duplicate, "duplicate", "broker", f"delivers to {stage} twice"):
            self._start(self._deliver(subscription, leased, answers=False))

    def _start(self, delivery: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(delivery)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, subscription: str, leased: Leased, *, answers: bool) -> None:
        fate, stage = self._fate, self._pushes[subscription]
        await asyncio.sleep(fate.seconds(0, fate.weather.latency))
        if fate.strikes(fate.weather.push.late, "late", "broker", f"a delivery to {stage} is late"):
            await asyncio.sleep(fate.seconds(0, _LATE))
        chosen = self._pools[stage].take()
        if chosen is None:
            fate.met["full"] += 1
            self._settle(subscription, leased, 429)
            return
        instance, deps = chosen
        message = leased.message
        attempt = leased.attempt if fate.weather.counts_attempts else None
        about = message.id, message.data, message.attributes, attempt
        work = Work(instance, subscription, *about)
        self._overtake(work)
        push = _body(subscription, leased, attempt)
        handling = self._handle(work, push, deps, self._handlers[stage])
        status = await self._answer(work, handling, deps.stage.timeout)
        if answers and status is not None:
            self._settle(subscription, leased, status)

    async def _answer(self, work: Work, handling: Handling, limit: float) -> int | None:
        """What the broker hears: a status, 503 where the connection broke, None for silence.

        After `limit` seconds the platform cuts the request, not the work.
        """
        fate, push = self._fate, self._fate.weather.push
        task = self._loop.create_task(handling)
        work.instance.tasks[task] = work
        task.add_done_callback(lambda _: work.instance.tasks.pop(task, None))
        patience = limit
        if fate.strikes(push.cut, "cut", "broker", f"loses the connection to {work.instance.name}"):
            patience = fate.seconds(0, 10 * fate.weather.latency + 1)
        await asyncio.wait([task], timeout=patience)
        if not task.done():  # it works on, and the broker sends the message to somebody else
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return 503
        status = None if task.cancelled() else task.result()
        if status is None:
            return 503 if fate.below(2) else None  # the connection is reset, or nobody answers
        if fate.strikes(push.unheard, "unheard", "broker", "does not hear the answer"):
            return None
        return status

    def _overtake(self, work: Work) -> None:
        """A later attempt tells that the broker has given up those that are still at work."""
        self.works.append(work)
        same = self._by_message.setdefault((work.subscription, work.message_id), [])
        for other in same:
            if other.attempt is not None and other.attempt < (work.attempt or 0):
                other.given_up = other.given_up or other.told is None
        same.append(work)

    async def _handle(self, work: Work, body: bytes, deps: Deps, handle: Handle) -> int | None:
        """The status; None where the instance died."""
        CURRENT.set(work)
        self._fate.story.tell(work.instance.name, "stage", told_of_delivery(work))
        try:
            status = await receive(body, deps, handle)
        except (Killed, asyncio.CancelledError):
            return None
        if not work.instance.alive:
            return None
        self._fate.story.tell(work.instance.name, "stage", told_of_answer(work.told, status))
        self.on_answer(work, status)
        return status


def _body(subscription: str, leased: Leased, attempt: int | None) -> bytes:
    message = leased.message
    push: dict[str, Any] = {
        "message": {
            "data": base64.b64encode(message.data).decode(),
            "attributes": dict(message.attributes),
            "messageId": message.id,
            "publishTime": datetime.fromtimestamp(message.published_at / MICRO, UTC).isoformat(),
        },
        "subscription": subscription,
    }
    if attempt is not None:
        push["deliveryAttempt"] = attempt
    return json.dumps(push).encode()
