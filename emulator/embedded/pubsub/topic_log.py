"""What a topic itself retains: for its retention period, and for its snapshots.

Must not know subscriptions, nor what a snapshot is beyond the place from which it retains.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from emulator.embedded.pubsub.ledger import Ledger
from emulator.embedded.pubsub.model import Message


class TopicLog:
    """Published messages in order, for as long as something retains them.

    `retention` is in microseconds or None; `floor` is the sequence above which all is retained,
    or None. Both may change at any time.
    """

    def __init__(self, uid: int, ledger: Ledger) -> None:
        self.retention: int | None = None
        self.floor: int | None = None
        self._uid = uid
        self._ledger = ledger
        self._messages: deque[Message] = deque()

    @property
    def retains(self) -> bool:
        """Whether messages published now are to be added."""
        return self.retention is not None or self.floor is not None

    def add(self, messages: Iterable[Message]) -> None:
        """Messages published just now."""
        for message in messages:
            self._messages.append(message)
            self._ledger.hold(message, self._uid)

    def restore(self, message: Message) -> None:
        """A message of an earlier process; call it in the order of publishing."""
        self._messages.append(message)
        self._ledger.held(message)

    def published_since(self, at: int) -> Iterator[Message]:
        return (message for message in self._messages if message.published_at >= at)

    def published_after(self, sequence: int) -> Iterator[Message]:
        return (message for message in self._messages if message.sequence > sequence)

    def advance(self, now: int) -> None:
        """Lets go of what nothing retains any more."""
        messages = self._messages
        while messages and not self._needed(messages[0], now):
            self._ledger.release(messages.popleft(), logged=True)

    def next_event(self) -> int | None:
        if not self._messages or self.retention is None or self._above_floor(self._messages[0]):
            return None
        return self._messages[0].published_at + self.retention

    def empty(self) -> None:
        while self._messages:
            self._ledger.release(self._messages.popleft(), logged=True)

    def _needed(self, message: Message, now: int) -> bool:
        if self._above_floor(message):
            return True
        return self.retention is not None and message.published_at + self.retention > now

    def _above_floor(self, message: Message) -> bool:
        return self.floor is not None and message.sequence > self.floor
