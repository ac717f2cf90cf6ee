"""What production refuses of a topic, a subscription or a snapshot by itself, whatever exists.

Also fills in what it fills in. Rules: https://cloud.google.com/pubsub/quotas#resource_limits and
https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from emulator.embedded.pubsub import filters, names
from emulator.embedded.pubsub.model import (
    SECOND,
    DeadLetterPolicy,
    Push,
    RetryPolicy,
    Subscription,
    Topic,
)
from emulator.embedded.refusal import Refusal, invalid

MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
ACK_DEADLINE = 10 * SECOND  # where a subscription names none
MAX_ATTEMPTS = 5  # where a dead-letter policy names none

# https://cloud.google.com/resource-manager/docs/labels-overview#requirements
_MAX_LABELS = 64
_LABEL_KEY = re.compile(r"[^\W\d_][\w-]{0,62}")
_LABEL_VALUE = re.compile(r"[\w-]{0,63}")
_ACK_ID = re.compile(r"[0-9]+-[0-9]+")  # as `Holdings` makes them


def checked_topic(topic: Topic) -> Topic:
    """The topic as it is kept."""
    names.check_topic(topic.name)
    check_labels(topic.labels)
    if topic.retention is not None:
        _check_retention(topic.retention)
    return topic


def checked_subscription(subscription: Subscription) -> Subscription:
    """The subscription as it is kept: an ack deadline of 0 becomes 10 s, no attempts become 5, and
    a push without an endpoint none.
    """
    push = subscription.push
    whole = replace(
        subscription,
        ack_deadline=subscription.ack_deadline or ACK_DEADLINE,
        dead_letter=_whole_dead_letter(subscription.dead_letter),
        push=push if push is not None and push.endpoint else None,
    )
    names.check_subscription(whole.name)
    check_labels(whole.labels)
    _check_between("ack_deadline_seconds", whole.ack_deadline, 10 * SECOND, 600 * SECOND)
    _check_retention(whole.retention)
    _check_expiration(whole)
    _check_dead_letter(whole.dead_letter)
    _check_retry(whole.retry)
    _check_push(whole.push, exactly_once=whole.exactly_once)
    filters.parse(whole.filter)
    return whole


def check_labels(labels: Mapping[str, str]) -> None:
    """Refuses more than 64 labels, and keys or values that are none."""
    if len(labels) > _MAX_LABELS:
        raise too_large("label_count", len(labels), _MAX_LABELS)
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or key != key.lower():
            raise invalid(f"Invalid label key: {key!r}.")
        if not _LABEL_VALUE.fullmatch(value) or value != value.lower():
            raise invalid(f"Invalid label value: {value!r} (of {key!r}).")


def check_extension(microseconds: int) -> None:
    """Refuses a modified deadline outside 0 to 600 s."""
    _check_between("ack_deadline_seconds", microseconds, 0, 600 * SECOND)


def check_limit(messages: int) -> None:
    """Refuses a pull of no messages."""
    if messages < 1:
        raise too_small("max_messages", messages, 1)


def check_ack_ids(ack_ids: Sequence[str]) -> None:
    """Refuses what never was an ack id of any broker."""
    for ack_id in ack_ids:
        if not _ACK_ID.fullmatch(ack_id):
            raise invalid(f"Invalid ack id (ack_id={ack_id}).")


def too_large(what: str, given: object, most: object) -> Refusal:
    """Production's words for a number over its limit."""
    return invalid(
        f"The value for {what} is too large. You passed {given} in the request, but the maximum "
        f"value is {most}."
    )


def too_small(what: str, given: object, least: object) -> Refusal:
    """Production's words for a number under its limit."""
    return invalid(
        f"The value for {what} is too small. You passed {given} in the request, but the minimum "
        f"value is {least}."
    )


def _whole_dead_letter(policy: DeadLetterPolicy | None) -> DeadLetterPolicy | None:
    if policy is None or policy.max_attempts:
        return policy
    return replace(policy, max_attempts=MAX_ATTEMPTS)


def _check_retention(retention: int) -> None:
    _check_between("message_retention_duration", retention, 10 * MINUTE, 31 * DAY)


def _check_expiration(subscription: Subscription) -> None:
    ttl = subscription.expires_after
    if ttl is not None:
        # An inactive subscription must not go before what it retains.
        least = max(DAY, subscription.retention)
        if ttl < least:
            raise too_small("expiration_policy.ttl", _seconds(ttl), _seconds(least))


def _check_dead_letter(policy: DeadLetterPolicy | None) -> None:
    if policy is None:
        return
    names.check_topic(policy.topic)
    if policy.max_attempts < 5:
        raise too_small("max_delivery_attempts", policy.max_attempts, 5)
    if policy.max_attempts > 100:
        raise too_large("max_delivery_attempts", policy.max_attempts, 100)


def _check_retry(policy: RetryPolicy | None) -> None:
    if policy is None:
        return
    _check_between("minimum_backoff", policy.minimum, 0, 600 * SECOND)
    _check_between("maximum_backoff", policy.maximum, 0, 600 * SECOND)
    if policy.maximum < policy.minimum:
        raise too_small("maximum_backoff", _seconds(policy.maximum), _seconds(policy.minimum))


def _check_push(push: Push | None, *, exactly_once: bool) -> None:
    if push is None:
        return
    if not _is_endpoint(push.endpoint):
        raise invalid(f"Invalid push endpoint given (endpoint={push.endpoint}).")
    if exactly_once:
        # https://cloud.google.com/pubsub/docs/exactly-once-delivery: pull only.
        raise invalid("Exactly-once delivery is not supported for push subscriptions.")


def _is_endpoint(url: str) -> bool:
    if not url.startswith(("https://", "http://")):  # http for endpoints on this machine
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an address in them, or a port beyond any
        return False


def _check_between(what: str, given: int, least: int, most: int) -> None:
    if not least <= given <= most:
        raise invalid(
            f"The value for {what} is out of bounds. You passed {_seconds(given)} in the request, "
            f"but the value must be between {_seconds(least)} and {_seconds(most)}."
        )


def _seconds(microseconds: int) -> str:
    return f"{microseconds / SECOND:g}s" if microseconds % SECOND else f"{microseconds // SECOND}s"
