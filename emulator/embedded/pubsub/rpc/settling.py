"""What becomes of acknowledgements and new deadlines, however they arrive: unary or on a stream.

Decides what a client with exactly-once delivery is told of a stale one, and frees the flow control
of whoever held the message. Rules: https://cloud.google.com/pubsub/docs/exactly-once-delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from emulator.embedded.messages import RpcStatus
from emulator.embedded.pubsub.model import SECOND, AckResult
from emulator.embedded.refusal import Refusal, Status

if TYPE_CHECKING:
    from emulator.embedded.pubsub.broker import Broker
    from emulator.embedded.pubsub.rpc.windows import Window

_STALE = (
    "Some acknowledgement ids in the request were invalid. This could be because the "
    "acknowledgement ids have expired or the acknowledgement ids were malformed."
)
_DETAILS = "grpc-status-details-bin"


class Settling:
    """Passes acknowledgements and deadlines to the broker, and tells the windows of the streams."""

    def __init__(self, broker: Broker, clock: Callable[[], int]) -> None:
        self._broker = broker
        self._clock = clock
        self._windows: dict[str, dict[Window, Callable[[], None]]] = {}

    @contextmanager
    def window(
        self, subscription: str, window: Window, freed: Callable[[], None]
    ) -> Iterator[None]:
        """Keep a window informed; `freed` is called when it may have room again."""
        windows = self._windows.setdefault(subscription, {})
        windows[window] = freed
        try:
            yield
        finally:
            del windows[window]
            if not windows and self._windows.get(subscription) is windows:
                del self._windows[subscription]

    def acknowledge(self, subscription: str, ack_ids: Sequence[str]) -> AckResult:
        result = self._broker.acknowledge(subscription, ack_ids)
        self._free(subscription, ack_ids)
        return result

    def modify(self, subscription: str, ack_ids: Sequence[str], seconds: int) -> AckResult:
        """Give these `seconds` from now; 0 is a nack."""
        result = self._broker.modify_deadline(subscription, ack_ids, seconds * SECOND)
        if seconds == 0:
            self._free(subscription, ack_ids)
        else:
            ends = self._clock() + seconds * SECOND
            for window in self._windows.get(subscription, ()):
                window.extended(result.done, ends)
        return result

    def refuse_stale(self, subscription: str, result: AckResult, context: Any) -> None:
        """Where delivery is exactly-once, a unary call with a stale id fails and says which.

        The ids that were valid have taken effect all the same.
        """
        if result.stale and self._broker.get_subscription(subscription).exactly_once:
            context.set_trailing_metadata(((_DETAILS, _stale_details(result.stale)),))
            raise Refusal(Status.INVALID_ARGUMENT, _STALE)

    def _free(self, subscription: str, ack_ids: Sequence[str]) -> None:
        for window, freed in tuple(self._windows.get(subscription, {}).items()):
            if window.settled(ack_ids):
                freed()


def _stale_details(stale: Sequence[str]) -> bytes:
    # Not needed before the first such failure.
    from google.rpc.error_details_pb2 import ErrorInfo  # noqa: PLC0415

    status = RpcStatus(code=int(Status.INVALID_ARGUMENT), message=_STALE)
    status.details.add().Pack(
        ErrorInfo(
            reason="EXACTLY_ONCE_ACKID_FAILURE",
            domain="pubsub.googleapis.com",
            metadata=dict.fromkeys(stale, "PERMANENT_FAILURE_INVALID_ACK_ID"),
        )
    )
    return bytes(status.SerializeToString())
