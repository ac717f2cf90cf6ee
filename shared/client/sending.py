"""Builds and publishes an event as any Pub/Sub client would; knows nothing of what follows."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.client.errors import EventRefusedError
from shared.domain import ids
from shared.domain.envelope import Message
from shared.domain.events import Event, from_message
from shared.errors import EventInvalidError, EventTooLargeError
from shared.ports import Bus, Clock, Store
from shared.prompting.versions import FlowVersions


class Ports(Protocol):
    """What a client needs of the world; a stage's dependencies have it too."""

    @property
    def store(self) -> Store: ...

    @property
    def bus(self) -> Bus: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def flows(self) -> FlowVersions: ...


@dataclass(frozen=True)
class Draft:
    """An event as somebody asks for it. `attributes` are further ones of its message."""

    type: str
    data: bytes
    source: str | None = None
    id: str | None = None
    key: str | None = None
    correlation_id: str | None = None
    subject: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sent:
    """An event that the broker has. `message_id` is that of this publication of it."""

    event: Event
    message_id: str


async def send(draft: Draft, ports: Ports) -> Sent:
    """Publishes the event and returns it as `route` will see it.

    Raises EventRefusedError, before anything is sent, where `route` would refuse it.
    """
    message, event = read(draft, ports.clock.now())
    [message_id] = await ports.bus.publish("events", [message])
    return Sent(event, message_id)


def read(draft: Draft, now: datetime) -> tuple[Message, Event]:
    """The message and the event in it; a draft without an id is given one.

    Raises EventRefusedError.
    """
    event_id = draft.id or uuid.uuid4().hex
    key = ids.event_key(draft.source or ids.UNNAMED_SOURCE, event_id)
    optional = {
        "ce-source": draft.source,
        "ce-subject": draft.subject,
        "ce-partitionkey": draft.key,  # CloudEvents partitioning extension
    }
    attributes = {
        **draft.attributes,
        "ce-specversion": "1.0",
        "ce-type": draft.type,
        "ce-id": event_id,
        "correlationid": draft.correlation_id or ids.correlation_id(key),
        "content-type": "application/json",
        **{name: text for name, text in optional.items() if text},
    }
    try:
        event = from_message(attributes, draft.data, message_id=event_id, published_at=now)
    except (EventInvalidError, EventTooLargeError) as error:
        raise EventRefusedError(error.detail) from error
    return Message(draft.data, attributes), event
