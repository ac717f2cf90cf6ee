"""Reads the body of a Pub/Sub push request; both spellings of its keys, wrapped form only.

Source: Pub/Sub documentation, "Push subscriptions". `deliveryAttempt` is optional there.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, TypeAdapter

from shared.domain.envelope import Delivery, Message
from shared.errors import MessageInvalidError

_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


def delivery_of(body: bytes) -> Delivery:
    """The delivery in a push request. Raises MessageInvalidError: then nobody pushed this."""
    try:
        push = json.loads(body)
        message = push["message"]
        return Delivery(
            message=Message(
                data=base64.b64decode(message.get("data") or "", validate=True),
                attributes=_attributes(message.get("attributes") or {}),
            ),
            message_id=str(_either(message, "messageId", "message_id")),
            published_at=_TIME.validate_python(_either(message, "publishTime", "publish_time")),
            subscription=str(push["subscription"]).rsplit("/", 1)[-1],
            attempt=_attempt(push.get("deliveryAttempt", push.get("delivery_attempt"))),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MessageInvalidError(f"not a Pub/Sub push request: {error!r}") from error


def _either(message: Mapping[str, Any], name: str, other: str) -> Any:
    return message[name] if name in message else message[other]


def _attributes(given: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in given.items()}


def _attempt(given: Any) -> int | None:
    """Absent or zero means that the broker does not count, not that this is the first."""
    return int(given) if given else None
