"""Builds and publishes an event as any Pub/Sub client would; knows nothing of what follows."""

from __future__ import annotations

import json
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from shared.delivery.deps import Deps
from shared.domain import ids
from shared.domain.envelope import Message
from shared.domain.events import Event, from_message
from shared.errors import EventInvalidError, EventTooLargeError, UsageError


class DataInvalidError(UsageError):
    """--data takes JSON, @file or - for standard input."""


class EventRefusedError(UsageError):
    """Nothing was sent: `route` would refuse such an event."""


@dataclass(frozen=True)
class Draft:
    """An event as asked for on the command line."""

    type: str
    data: bytes
    source: str | None = None
    id: str | None = None
    key: str | None = None
    correlation_id: str | None = None
    subject: str | None = None


def read_data(given: str) -> bytes:
    """The bytes of --data. Raises DataInvalidError where they are not JSON."""
    try:
        if given == "-":
            data = sys.stdin.buffer.read()
        elif given.startswith("@"):
            data = Path(given[1:]).read_bytes()
        else:
            data = given.encode()
        json.loads(data or b"null")
    except OSError as error:
        raise DataInvalidError(f"{given[1:]}: {error.strerror}") from error
    except ValueError as error:
        raise DataInvalidError(f"not JSON: {error}") from error
    return data


async def send(draft: Draft, deps: Deps) -> Event:
    """Publishes the event and returns it as `route` will see it.

    Raises EventRefusedError, before anything is sent, where `route` would refuse it.
    """
    event_id = draft.id or uuid.uuid4().hex
    key = ids.event_key(draft.source or ids.UNNAMED_SOURCE, event_id)
    attributes = {
        "ce-specversion": "1.0",
        "ce-type": draft.type,
        "ce-id": event_id,
        "correlationid": draft.correlation_id or ids.correlation_id(key),
        "content-type": "application/json",
    }
    if draft.source:
        attributes["ce-source"] = draft.source
    if draft.subject:
        attributes["ce-subject"] = draft.subject
    if draft.key:  # CloudEvents partitioning extension
        attributes["ce-partitionkey"] = draft.key
    now = deps.clock.now()
    try:
        event = from_message(attributes, draft.data, message_id=event_id, published_at=now)
    except (EventInvalidError, EventTooLargeError) as error:
        raise EventRefusedError(error.detail) from error
    await deps.bus.publish("events", [Message(draft.data, attributes)])
    return event
