"""Messages and deliveries between protobuf and the broker's values; on the hot path, so terse.

Decides nothing: limits on messages are the broker's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emulator.embedded.messages import pubsub_pb
from emulator.embedded.pubsub.model import SECOND, Delivery, Message


def messages(published: Iterable[Any]) -> list[Message]:
    """What a publisher sent; the id and the time are the broker's to assign."""
    return [
        Message("", pb.data, _attributes(pb.attributes), 0, pb.ordering_key) for pb in published
    ]


def add_deliveries(received_messages: Any, deliveries: Iterable[Delivery]) -> None:
    """Append deliveries to the `received_messages` of a response."""
    for delivery in deliveries:
        received = received_messages.add()
        received.ack_id = delivery.ack_id
        if delivery.attempt is not None:
            received.delivery_attempt = delivery.attempt
        message, pb = delivery.message, received.message
        pb.message_id = message.id
        pb.data = message.data
        if message.attributes:
            pb.attributes.update(message.attributes)
        if message.ordering_key:
            pb.ordering_key = message.ordering_key
        published = pb.publish_time
        published.seconds, rest = divmod(message.published_at, SECOND)
        published.nanos = rest * 1000


def pull_response(deliveries: Iterable[Delivery]) -> Any:
    response = pubsub_pb.PullResponse()
    add_deliveries(response.received_messages, deliveries)
    return response


def _attributes(pb: Any) -> dict[str, str]:
    # A fifth of the time of dict(pb), which goes through the methods of an abstract mapping.
    return {key: pb[key] for key in pb} if pb else {}
