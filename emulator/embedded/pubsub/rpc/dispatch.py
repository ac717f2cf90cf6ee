"""Drives the broker in time: pushes what is deliverable, and fires what a clock has to fire.

Decides how many pushes of a subscription are under way at once; when a failed one is tried again
is the broker's. Must not know HTTP or gRPC.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from emulator.embedded.pubsub.model import SECOND
from emulator.embedded.pubsub.rpc.push_request import PushRequest, push_request
from emulator.embedded.refusal import Refusal

if TYPE_CHECKING:
    from emulator.embedded.pubsub.broker import Broker
    from emulator.embedded.pubsub.model import Delivery, Subscription

Send = Callable[[PushRequest], Awaitable[bool]]
_IN_FLIGHT = 100
# The broker looks at all it has to say when it will have to act next: not all the time, and less
# often where it takes long because there are thousands of subscriptions. Seconds.
_BETWEEN_LOOKS = 0.002
_BETWEEN_LONG_LOOKS = 0.05
_REST = 10  # times as long as the look took
_LONGEST_WAIT = 3600.0
_log = logging.getLogger(__name__)


def _nothing() -> None: ...


class Dispatcher:
    """Everything the broker does without being asked, on the running event loop.

    `send` answers whether the endpoint acknowledged, within the request's timeout. A push reads
    the subscription's configuration as it is when it starts. `before_advance` is called when the
    clock has reached something, before the broker is told.
    """

    def __init__(
        self,
        broker: Broker,
        send: Send,
        clock: Callable[[], int],
        *,
        in_flight: int = _IN_FLIGHT,
        before_advance: Callable[[], None] = _nothing,
    ) -> None:
        self._broker = broker
        self._send = send
        self._clock = clock
        self._in_flight = in_flight
        self._before_advance = before_advance
        self._pushes: dict[str, set[asyncio.Task[None]]] = {}
        self._due: dict[str, None] = {}  # subscriptions to look at, in order
        self._pump: asyncio.Handle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._between_looks = _BETWEEN_LOOKS
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def ring(self, subscription: str) -> None:
        """The subscription may have something to push. Uses the broker later, not now."""
        self._due[subscription] = None
        if self._pump is None and not self._stopped:
            self._pump = asyncio.get_running_loop().call_soon(self._start_due)
        self.touched()

    def touched(self) -> None:
        """The broker has been used: its next event may be another one."""
        if self._look is None and not self._stopped:
            self._look = asyncio.get_running_loop().call_later(self._between_looks, self._arm)

    def reset(self) -> None:
        """Forget the pushes under way; their endpoints see the connection close."""
        for pushes in self._pushes.values():
            for push in pushes:
                push.cancel()
        self._pushes.clear()
        self._due.clear()

    def stop(self) -> None:
        """Reset, and do nothing any more."""
        self._stopped = True
        self.reset()
        for handle in (self._pump, self._look, self._timer):
            if handle is not None:
                handle.cancel()

    def _start_due(self) -> None:
        self._pump = None
        due, self._due = self._due, {}
        for name in due:
            self._start_pushes(name)

    def _start_pushes(self, name: str) -> None:
        under_way = self._pushes.get(name, ())
        try:
            subscription = self._broker.get_subscription(name)
            if subscription.push is None or subscription.detached:
                return
            free = self._in_flight - len(under_way)
            deliveries = self._broker.pull(name, free) if free > 0 else []
        except Refusal:  # deleted since
            return
        for delivery in deliveries:
            self._start(subscription, delivery)

    def _start(self, subscription: Subscription, delivery: Delivery) -> None:
        push = asyncio.get_running_loop().create_task(self._push(subscription, delivery))
        under_way = self._pushes.setdefault(subscription.name, set())
        under_way.add(push)
        push.add_done_callback(lambda done: self._ended(subscription.name, under_way, done))

    def _ended(
        self, name: str, under_way: set[asyncio.Task[None]], push: asyncio.Task[None]
    ) -> None:
        under_way.discard(push)
        if not under_way and self._pushes.get(name) is under_way:
            del self._pushes[name]
        if not push.cancelled():
            self.ring(name)

    async def _push(self, subscription: Subscription, delivery: Delivery) -> None:
        acknowledged = False
        try:
            acknowledged = await self._send(push_request(subscription, delivery, self._clock()))
        except Exception:  # noqa: BLE001 - an error of ours must not leave the message leased
            _log.exception("push of %s failed in the engine", subscription.name)
        with suppress(Refusal):  # deleted since
            if acknowledged:
                self._broker.acknowledge(subscription.name, [delivery.ack_id])
            else:
                self._broker.modify_deadline(subscription.name, [delivery.ack_id], 0)

    def _arm(self) -> None:
        self._look = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        started = loop.time()
        at = self._broker.next_event()
        rest = _REST * (loop.time() - started)
        self._between_looks = min(max(_BETWEEN_LOOKS, rest), _BETWEEN_LONG_LOOKS)
        if at is not None:
            wait = min(max(at - self._clock(), 0) / SECOND, _LONGEST_WAIT)
            self._timer = loop.call_later(wait, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.touched()
        self._before_advance()
        self._broker.advance()
