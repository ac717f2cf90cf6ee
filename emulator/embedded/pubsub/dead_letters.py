"""What a dead letter looks like. Must not know when a message becomes one, nor how to publish it.

https://cloud.google.com/pubsub/docs/handling-failures#track_delivery_attempts
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from emulator.embedded.pubsub.model import Message, Subscription
from emulator.embedded.pubsub.names import id_of, project_of

_PREFIX = "CloudPubSubDeadLetterSource"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def dead_letter(source: Subscription, message: Message, attempts: int) -> Message:
    """The message to publish to the dead-letter topic: data, attributes and ordering key as they
    were, and where it comes from. It gets an id and a publish time of its own.
    """
    published = _EPOCH + timedelta(microseconds=message.published_at)
    attributes = {
        **message.attributes,
        f"{_PREFIX}DeliveryCount": str(attempts),
        f"{_PREFIX}Subscription": id_of(source.name),
        f"{_PREFIX}SubscriptionProject": project_of(source.name),
        f"{_PREFIX}TopicPublishTime": published.isoformat(timespec="milliseconds"),
    }
    return Message("", message.data, attributes, 0, message.ordering_key)
