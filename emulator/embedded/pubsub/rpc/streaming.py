"""StreamingPull: delivers as soon as the broker has something and the client's flow control allows.

Rules of the requests: https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1 under
StreamingPullRequest. A stream that ends leaves its leases to expire. Must not know HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from emulator.embedded.messages import pubsub_pb
from emulator.embedded.pubsub.model import SECOND
from emulator.embedded.pubsub.rpc.pulling import pullable
from emulator.embedded.pubsub.rpc.settling import Settling
from emulator.embedded.pubsub.rpc.windows import Window
from emulator.embedded.pubsub.rpc.wire_messages import add_deliveries
from emulator.embedded.refusal import invalid

if TYPE_CHECKING:
    from emulator.embedded.pubsub.broker import Broker
    from emulator.embedded.pubsub.rpc.bells import Bells

_SHORTEST_DEADLINE, _LONGEST_DEADLINE = 10, 600
# One response: large enough to be cheap, small enough that several streams share a backlog.
_MOST_MESSAGES = 250
_MOST_BYTES = 1_000_000
_ONLY_FIRST = ("max_outstanding_messages", "max_outstanding_bytes", "protocol_version")


class Streams:
    """All open streams. `touched` is called after each use of the broker."""

    def __init__(
        self,
        broker: Broker,
        settling: Settling,
        bells: Bells,
        clock: Callable[[], int],
        touched: Callable[[], None],
    ) -> None:
        self.broker = broker
        self.settling = settling
        self.bells = bells
        self.clock = clock
        self.touched = touched

    async def streaming_pull(
        self, requests: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[Any]:
        """The handler of the method. Ends when the client closes its side, as production does."""
        # Clients wait for it before they give the stream to their caller.
        await context.send_initial_metadata(())
        first = await anext(aiter(requests), None)
        if first is None:
            raise invalid("first message must set subscription")
        stream = _Stream(self, first)
        async for response in stream.responses(requests, first):
            yield response


class _Stream:
    def __init__(self, streams: Streams, first: Any) -> None:
        _check_first(first)
        pullable(streams.broker, first.subscription)
        self._streams = streams
        self._name = str(first.subscription)
        self._deadline = first.stream_ack_deadline_seconds
        self._window = Window(first.max_outstanding_messages, first.max_outstanding_bytes)
        self._wake = asyncio.Event()
        self._closed = False
        self._error: Exception | None = None
        self._confirmations = pubsub_pb.StreamingPullResponse()

    async def responses(self, requests: AsyncIterator[Any], first: Any) -> AsyncIterator[Any]:
        bells, ring = self._streams.bells, self._wake.set
        bells.hang(self._name, ring)
        reader = asyncio.create_task(self._read(requests, first))
        try:
            with self._streams.settling.window(self._name, self._window, ring):
                while not self._closed:
                    self._wake.clear()
                    response = self._next()
                    if response is not None:
                        yield response
                        bells.hang(self._name, ring)  # the others are served first next time
                    else:
                        await self._wake.wait()
                if self._error is not None:
                    raise self._error
                if self._confirmations.ListFields():
                    yield self._confirmations
        finally:
            bells.take_down(self._name, ring)
            self._streams.broker.touch(self._name)  # it was listened to until now
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader

    async def _read(self, requests: AsyncIterator[Any], first: Any) -> None:
        try:
            self._settle(first)
            async for request in requests:
                _check_later(request)
                self._take_deadline(request.stream_ack_deadline_seconds)
                self._settle(request)
        except Exception as error:  # noqa: BLE001 - raised where the call can be told
            self._error = error
        self._closed = True
        self._wake.set()

    def _next(self) -> Any:
        """What can be sent now: confirmations first, None where there is nothing."""
        subscription = pullable(self._streams.broker, self._name)
        response, self._confirmations = self._confirmations, pubsub_pb.StreamingPullResponse()
        room = self._window.room(_MOST_MESSAGES, self._streams.clock())
        if room:
            deliveries = self._streams.broker.pull(
                self._name,
                room,
                max_bytes=self._window.room_in_bytes(_MOST_BYTES),
                ack_deadline=self._deadline * SECOND,
            )
            self._window.sent(deliveries)
            add_deliveries(response.received_messages, deliveries)
            self._streams.touched()
        if not response.ListFields():
            return None
        # Clients take the absence of a property for its being off: every response carries them.
        properties = response.subscription_properties
        properties.exactly_once_delivery_enabled = subscription.exactly_once
        properties.message_ordering_enabled = subscription.ordered
        return response

    def _take_deadline(self, seconds: int) -> None:
        if seconds:
            _check_stream_deadline(seconds)
            self._deadline = seconds

    def _settle(self, request: Any) -> None:
        if request.ack_ids:
            self._acknowledge(list(request.ack_ids))
        if request.modify_deadline_ack_ids or request.modify_deadline_seconds:
            self._modify(list(request.modify_deadline_ack_ids), request.modify_deadline_seconds)

    def _acknowledge(self, ack_ids: list[str]) -> None:
        result = self._streams.settling.acknowledge(self._name, ack_ids)
        self._streams.touched()
        if self._confirms():
            confirmation = self._confirmations.acknowledge_confirmation
            confirmation.ack_ids.extend(result.done)
            confirmation.invalid_ack_ids.extend(result.stale)
            self._wake.set()

    def _modify(self, ack_ids: list[str], seconds: Any) -> None:
        if len(ack_ids) != len(seconds):
            raise invalid(
                "Invalid arguments provided: the number of ack ids to modify must be equal to "
                "the number of ack deadlines."
            )
        for deadline, ids in _by_deadline(ack_ids, seconds).items():
            result = self._streams.settling.modify(self._name, ids, deadline)
            if self._confirms():
                confirmation = self._confirmations.modify_ack_deadline_confirmation
                confirmation.ack_ids.extend(result.done)
                confirmation.invalid_ack_ids.extend(result.stale)
                self._wake.set()
        self._streams.touched()

    def _confirms(self) -> bool:
        return self._streams.broker.get_subscription(self._name).exactly_once


def _by_deadline(ack_ids: list[str], seconds: Any) -> dict[int, list[str]]:
    groups: dict[int, list[str]] = {}
    for ack_id, deadline in zip(ack_ids, seconds, strict=True):
        groups.setdefault(deadline, []).append(ack_id)
    return groups


def _check_first(request: Any) -> None:
    if not request.subscription:
        raise invalid("first message must set subscription")
    if not request.stream_ack_deadline_seconds:
        raise invalid("first message must set stream_ack_deadline_seconds")
    _check_stream_deadline(request.stream_ack_deadline_seconds)


def _check_later(request: Any) -> None:
    if request.subscription:
        raise invalid("subscription may only be set in first message")
    for field in _ONLY_FIRST:
        if getattr(request, field):
            raise invalid(f"{field} may only be set in first message")


def _check_stream_deadline(seconds: int) -> None:
    if not _SHORTEST_DEADLINE <= seconds <= _LONGEST_DEADLINE:
        raise invalid("stream_ack_deadline_seconds must be between 10 and 600 seconds")
