"""What the broker holds: topics, subscriptions, messages and deliveries, as plain values.

Times are whole microseconds since 1970 in UTC, spans whole microseconds. Names are full resource
names (`projects/p/topics/t`). Must not know protobuf, gRPC, HTTP or any clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SECOND = 1_000_000
DELETED_TOPIC = "_deleted-topic_"  # what a subscription shows once its topic is gone


@dataclass(slots=True)
class Message:
    """A published message. `sequence` is its place among all messages of the broker.

    Never changed once made. Not frozen, nor is `Delivery`: that takes three times as long to make,
    and there is one of these for each message.
    """

    id: str
    data: bytes
    attributes: Mapping[str, str]
    published_at: int
    ordering_key: str = ""
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Topic:
    """`retention` is None where the topic itself keeps nothing."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    retention: int | None = None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of the exponential back-off between deliveries of a message."""

    minimum: int = 10 * SECOND
    maximum: int = 600 * SECOND


@dataclass(frozen=True, slots=True)
class DeadLetterPolicy:
    """Where a message goes after so many deliveries."""

    topic: str
    max_attempts: int = 5


@dataclass(frozen=True, slots=True)
class Push:
    """Where and how a subscription pushes. `service_account` asks for an OIDC-shaped token.

    `wrapped` bodies are JSON envelopes; unwrapped ones are the data itself, with the metadata in
    headers where `write_metadata` says so.
    """

    endpoint: str
    wrapped: bool = True
    write_metadata: bool = False
    service_account: str | None = None
    audience: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription's configuration; what waits in it is the broker's own."""

    name: str
    topic: str
    ack_deadline: int = 10 * SECOND
    push: Push | None = None
    retain_acked: bool = False
    retention: int = 7 * 86_400 * SECOND
    ordered: bool = False
    filter: str = ""
    dead_letter: DeadLetterPolicy | None = None
    retry: RetryPolicy | None = None
    exactly_once: bool = False
    detached: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    expires_after: int | None = 31 * 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The acknowledgement state of a subscription at `created_at`."""

    name: str
    topic: str
    expires_at: int
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Delivery:
    """One delivery of a message under a lease; never changed once made.

    `attempt` counts from 1 where the subscription has a dead-letter policy, and is None elsewhere.
    """

    ack_id: str
    message: Message
    attempt: int | None
    deadline: int


@dataclass(frozen=True, slots=True)
class AckResult:
    """What became of each ack id. `stale` are those whose lease had ended or that never existed."""

    done: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
