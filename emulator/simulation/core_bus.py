"""The Bus over the engine's broker itself: no wire between them, and no time passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emulator.embedded.pubsub import model
from emulator.embedded.pubsub.broker import Broker
from emulator.embedded.refusal import Refusal, Status
from shared.domain.envelope import Message
from shared.errors import (
    BusUnavailableError,
    EventTooLargeError,
    MessageInvalidError,
    SegueError,
)

MAX_MESSAGE_BYTES = 10_000_000
Listener = Callable[[str, Message, str], None]


def _unheard(_topic: str, _message: Message, _message_id: str) -> None:
    return


class CoreBus:
    """Implements `Bus`. `topics` is what topic names begin with; `on_publish` sees each message."""

    def __init__(self, broker: Broker, topics: str, on_publish: Listener = _unheard) -> None:
        self._broker = broker
        self._topics = topics
        self._on_publish = on_publish

    async def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
        """Raises EventTooLargeError before anything is sent where one message is too large."""
        for message in messages:
            if len(message.data) > MAX_MESSAGE_BYTES:
                size = f"{len(message.data):,} bytes, limit {MAX_MESSAGE_BYTES:,}"
                raise EventTooLargeError(f"a message for {topic} has {size}")
        return [self._publish(topic, message) for message in messages]

    def _publish(self, topic: str, message: Message) -> str:
        """One request each: together they may be more than a request holds."""
        sent = model.Message("", message.data, dict(message.attributes), 0)
        try:
            [message_id] = self._broker.publish(f"{self._topics}{topic}", [sent])
        except Refusal as refusal:
            raise _meaning(topic, refusal) from refusal
        self._on_publish(topic, message, message_id)
        return message_id


def _meaning(topic: str, refusal: Refusal) -> SegueError:
    if refusal.status is Status.INVALID_ARGUMENT:
        return MessageInvalidError(f"Pub/Sub refuses a message for {topic}: {refusal.message}")
    return BusUnavailableError(f"{topic}: {refusal.message}")
