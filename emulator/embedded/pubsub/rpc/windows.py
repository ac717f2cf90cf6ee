"""How much more a streaming client may be sent: its flow control, counted message by message.

A message counts from its delivery until it is acked, nacked or its lease ends, whichever call says
so. Must not know streams, the broker or any clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from emulator.embedded.pubsub.backlog import size_of
from emulator.embedded.pubsub.model import Delivery


class Window:
    """What one client has outstanding. A limit <= 0 is none; without limits nothing is counted."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._limited = max_messages > 0 or max_bytes > 0
        self._held: dict[str, tuple[int, int]] = {}  # ack id -> (bytes, end of the lease)
        self._bytes = 0

    def room(self, most: int, now: int) -> int:
        """How many messages, `most` at most, may be sent now; microseconds since 1970."""
        if not self._limited:
            return most
        room = self._room(most)
        if room:
            return room
        self.settled([ack_id for ack_id, (_, ends) in self._held.items() if ends <= now])
        return self._room(most)

    def room_in_bytes(self, most: int) -> int:
        """How many bytes may be sent; as in production the last message may exceed them."""
        return min(most, self._max_bytes - self._bytes) if self._max_bytes > 0 else most

    def sent(self, deliveries: Iterable[Delivery]) -> None:
        if not self._limited:
            return
        for delivery in deliveries:
            taken = size_of(delivery.message)
            self._held[delivery.ack_id] = (taken, delivery.deadline)
            self._bytes += taken

    def settled(self, ack_ids: Iterable[str]) -> bool:
        """These are outstanding no more. True where any of them had counted."""
        before = len(self._held)
        for ack_id in ack_ids:
            held = self._held.pop(ack_id, None)
            if held is not None:
                self._bytes -= held[0]
        return len(self._held) < before

    def extended(self, ack_ids: Sequence[str], ends: int) -> None:
        """The leases of these now end at `ends`."""
        for ack_id in ack_ids:
            held = self._held.get(ack_id)
            if held is not None:
                self._held[ack_id] = (held[0], ends)

    def _room(self, most: int) -> int:
        if self._max_bytes > 0 and self._bytes >= self._max_bytes:
            return 0
        if self._max_messages <= 0:
            return most
        return max(0, min(most, self._max_messages - len(self._held)))
