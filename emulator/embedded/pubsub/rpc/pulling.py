"""Unary Pull: answers at once when something is deliverable, and otherwise waits a bounded time.

Decides which subscriptions can be pulled from. Must not know streams or HTTP.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from emulator.embedded.pubsub.rpc.wire_messages import pull_response
from emulator.embedded.refusal import Refusal, Status

if TYPE_CHECKING:
    from emulator.embedded.pubsub.broker import Broker
    from emulator.embedded.pubsub.model import Delivery, Subscription
    from emulator.embedded.pubsub.rpc.bells import Bells

_LONGEST_WAIT = 90.0
_ANSWER_TIME = 0.25  # what is left of the client's deadline for the answer to reach it
_MOST_MESSAGES = 1000
_MOST_BYTES = 10_000_000


def pullable(broker: Broker, name: str) -> Subscription:
    """The subscription; refuses one that is missing, detached or pushes.

    https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1 (Subscription.detached).
    """
    subscription = broker.get_subscription(name)
    if subscription.detached:
        raise Refusal(Status.FAILED_PRECONDITION, "Subscription is detached.")
    if subscription.push is not None:
        raise Refusal(
            Status.FAILED_PRECONDITION, "This method is not supported for push subscriptions."
        )
    return subscription


class Pulls:
    """The handler of Pull, over a broker."""

    def __init__(self, broker: Broker, bells: Bells) -> None:
        self._broker = broker
        self._bells = bells

    async def pull(self, request: Any, context: Any) -> Any:
        """Deliveries, none where nothing came within 90 s or the client's deadline."""
        deliveries = self._deliverable(request)
        if not deliveries and not request.return_immediately:
            deliveries = await self._awaited(request, _patience(context.time_remaining()))
        return pull_response(deliveries)

    def _deliverable(self, request: Any) -> list[Delivery]:
        pullable(self._broker, request.subscription)
        limit = min(request.max_messages, _MOST_MESSAGES)
        return self._broker.pull(request.subscription, limit, max_bytes=_MOST_BYTES)

    async def _awaited(self, request: Any, patience: float) -> list[Delivery]:
        rung = asyncio.Event()
        until = time.monotonic() + patience
        self._bells.hang(request.subscription, rung.set)
        try:
            while (left := until - time.monotonic()) > 0:
                try:
                    await asyncio.wait_for(rung.wait(), left)
                except TimeoutError:
                    break
                rung.clear()
                if deliveries := self._deliverable(request):
                    return deliveries
            return []
        finally:
            self._bells.take_down(request.subscription, rung.set)


def _patience(remaining: float | None) -> float:
    """How long to wait, where the client waits so long; seconds."""
    if remaining is None:
        return _LONGEST_WAIT
    return min(_LONGEST_WAIT, max(remaining - _ANSWER_TIME, remaining * 0.8))
