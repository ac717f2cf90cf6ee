"""Pub/Sub on the wire: puts a broker, its methods, its streams and its push delivery together.

Decides what one handler may cause in another part: who is woken by what. What has no handler here
(schemas, IAM) the server refuses by name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from emulator.embedded.pubsub.rpc.bells import Bells
from emulator.embedded.pubsub.rpc.dispatch import Dispatcher
from emulator.embedded.pubsub.rpc.publisher_methods import PublisherMethods
from emulator.embedded.pubsub.rpc.pulling import Pulls
from emulator.embedded.pubsub.rpc.push import HttpPusher
from emulator.embedded.pubsub.rpc.settling import Settling
from emulator.embedded.pubsub.rpc.streaming import Streams
from emulator.embedded.pubsub.rpc.subscriber_methods import SubscriberMethods
from emulator.embedded.refusal import Refusal

if TYPE_CHECKING:
    from emulator.embedded.pubsub.broker import Broker

_PUBLISHER = "/google.pubsub.v1.Publisher/"
_SUBSCRIBER = "/google.pubsub.v1.Subscriber/"

Handler = Callable[[Any, Any], Any]


def _wall_clock() -> int:
    return time.time_ns() // 1000


class PubSubService:
    """Serves one broker. `clock` is the broker's own: microseconds since 1970.

    To be started in the event loop that calls the handlers. Handlers raise Refusal.
    """

    def __init__(self, broker: Broker, *, clock: Callable[[], int] = _wall_clock) -> None:
        self._broker = broker
        self._pusher = HttpPusher()
        self._bells = Bells()
        self._dispatcher = Dispatcher(
            broker, self._pusher, clock, before_advance=self._keep_listened_to
        )
        self._settling = Settling(broker, clock)
        touched = self._dispatcher.touched
        self._pulls = Pulls(broker, self._bells)
        self._streams = Streams(broker, self._settling, self._bells, clock, touched)
        self._publisher = PublisherMethods(broker, self._changed)
        self._subscriber = SubscriberMethods(broker, self._settling, self._changed)

    def handlers(self) -> Mapping[str, Handler]:
        """Handlers by full method name, for requests and responses of the raw classes."""
        plain = {
            **{_PUBLISHER + name: call for name, call in self._publisher.handlers().items()},
            **{_SUBSCRIBER + name: call for name, call in self._subscriber.handlers().items()},
        }
        settling = self._subscriber.settling_handlers()
        return {
            **{name: self._unary(call) for name, call in plain.items()},
            **{_SUBSCRIBER + name: self._settled(call) for name, call in settling.items()},
            _SUBSCRIBER + "Pull": self._pull,
            _SUBSCRIBER + "StreamingPull": self._streams.streaming_pull,
        }

    async def start(self) -> None:
        """Deliver from now on, also what the journal brought back."""
        self._broker.on_available = self._available
        self._broker.advance()
        self._dispatcher.touched()

    async def stop(self) -> None:
        """End the pushes under way. The leases they held end in their time."""
        self._dispatcher.stop()
        await self._pusher.stop()

    async def reset(self) -> None:
        """Forget everything; open streams end with NOT_FOUND."""
        self._dispatcher.reset()
        self._broker.reset()
        for subscription in self._bells.subscriptions():
            self._bells.ring(subscription)

    def _available(self, subscription: str) -> None:
        self._dispatcher.ring(subscription)
        self._bells.ring(subscription)

    def _changed(self, subscription: str) -> None:
        """Whatever a subscription has become, all who deliver from it look again."""
        try:
            push = self._broker.get_subscription(subscription).push
        except Refusal:  # deleted
            push = None
        if push is not None:
            self._pusher.prepare(push.endpoint)
        self._available(subscription)

    def _keep_listened_to(self) -> None:
        # A subscription to which somebody is connected is in use, and does not expire.
        for subscription in self._bells.subscriptions():
            self._broker.touch(subscription)

    def _unary(self, call: Callable[[Any], Any]) -> Handler:
        async def handler(request: Any, _context: Any) -> Any:
            try:
                return call(request)
            finally:
                self._dispatcher.touched()

        return handler

    def _settled(self, call: Callable[[Any, Any], Any]) -> Handler:
        async def handler(request: Any, context: Any) -> Any:
            try:
                return call(request, context)
            finally:
                self._dispatcher.touched()

        return handler

    async def _pull(self, request: Any, context: Any) -> Any:
        try:
            return await self._pulls.pull(request, context)
        finally:
            self._dispatcher.touched()
