"""What production refuses of a publish request. Must not know topics.

https://cloud.google.com/pubsub/quotas#resource_limits
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emulator.embedded.pubsub.limits import too_large
from emulator.embedded.pubsub.model import Message
from emulator.embedded.refusal import invalid

MAX_BYTES = 10_000_000
MAX_MESSAGES = 1000
_MAX_ATTRIBUTES = 100
_MAX_KEY = 256
_MAX_VALUE = 1024
_MAX_ORDERING_KEY = 1024
_QUOTAS = "Refer to https://cloud.google.com/pubsub/quotas for more information."


def check_publish(messages: Sequence[Message]) -> None:
    """Refuses the whole request if one message cannot be published.

    Counts what the publisher gave; the few bytes of framing around it are the wire's business.
    """
    if not messages:
        raise invalid("The publish request must contain at least one message.")
    if len(messages) > MAX_MESSAGES:
        raise too_large("message_count", len(messages), MAX_MESSAGES)
    size = 0
    for message in messages:
        size += len(message.data)
        if message.attributes:
            size += _checked_attributes(message.attributes)
        elif not message.data:
            raise invalid(
                "One or more messages in the publish request is empty. Each message must contain "
                "either non-empty data, or at least one attribute."
            )
        if message.ordering_key:
            size += _checked_ordering_key(message.ordering_key)
    if size > MAX_BYTES:
        raise too_large("request_size", size, MAX_BYTES)


def _checked_attributes(attributes: Mapping[str, str]) -> int:
    """Their bytes."""
    if len(attributes) > _MAX_ATTRIBUTES:
        raise too_large("attribute_count", len(attributes), _MAX_ATTRIBUTES)
    size = 0
    for key, value in attributes.items():
        key_size, value_size = len(key.encode()), len(value.encode())
        if not 0 < key_size <= _MAX_KEY or value_size > _MAX_VALUE or key.startswith("goog"):
            _refuse_attribute(key, key_size, value_size)
        size += key_size + value_size
    return size


def _refuse_attribute(key: str, key_size: int, value_size: int) -> None:
    if not key:
        raise invalid("The request contains an attribute with an empty key.")
    if key_size > _MAX_KEY:
        raise invalid(
            f'The attribute key "{key}" in the request is too long. The length is {key_size} '
            f"characters, but the maximum allowed is {_MAX_KEY}. {_QUOTAS}"
        )
    if value_size > _MAX_VALUE:
        raise invalid(
            f'The attribute "{key}" in the request has a value that is too long. The length is '
            f"{value_size} characters, but the maximum allowed is {_MAX_VALUE}. {_QUOTAS}"
        )
    # Google's own clients send trace context under this prefix.
    if not key.startswith("googclient_"):
        raise invalid(f'The attribute key "{key}" in the request must not begin with "goog".')


def _checked_ordering_key(key: str) -> int:
    size = len(key.encode())
    if size > _MAX_ORDERING_KEY:
        raise too_large("ordering_key_size", size, _MAX_ORDERING_KEY)
    return size
