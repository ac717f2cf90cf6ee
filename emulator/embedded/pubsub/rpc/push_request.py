"""The HTTP request that carries a delivery to a push endpoint, and what its answer means.

Wrapped: https://cloud.google.com/pubsub/docs/push. Unwrapped:
https://cloud.google.com/pubsub/docs/payload-unwrapping. Must not know who sends it, or when.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.embedded.pubsub.model import SECOND, Delivery, Message, Push, Subscription

# https://cloud.google.com/pubsub/docs/push#receive_push: all else is a negative acknowledgement.
_ACKS = frozenset({102, 200, 201, 202, 204})
_AGENT = b"APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"
_TOKEN_LIFE = 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSPEAKABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# What frames the request or speaks of the connection: an attribute of that name cannot be sent.
_FRAMING = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer"}
    | {"transfer-encoding", "upgrade"}
)
Headers = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class PushRequest:
    """`timeout` is in seconds: the acknowledgement deadline. Header names are in lower case."""

    url: str
    headers: Headers
    body: bytes
    timeout: float


def push_request(subscription: Subscription, delivery: Delivery, now: int) -> PushRequest:
    """The request for one delivery of a push subscription; `now` in microseconds since 1970."""
    push = subscription.push
    assert push is not None
    if push.wrapped:
        headers: Headers = {b"content-type": b"application/json"}
        body = _wrapped(subscription.name, delivery)
    else:
        headers = _metadata(subscription.name, delivery.message) if push.write_metadata else {}
        body = delivery.message.data
    headers[b"user-agent"] = _AGENT
    if push.service_account is not None:
        headers[b"authorization"] = b"Bearer " + _token(push, now // SECOND)
    return PushRequest(push.endpoint, headers, body, subscription.ack_deadline / SECOND)


def is_ack(status: int) -> bool:
    """Whether an HTTP status acknowledges the message."""
    return status in _ACKS


def _wrapped(subscription: str, delivery: Delivery) -> bytes:
    message = delivery.message
    published = _rfc3339(message.published_at)
    inner: dict[str, Any] = {
        "attributes": dict(message.attributes),
        "data": base64.b64encode(message.data).decode(),
        "messageId": message.id,
        "message_id": message.id,
        "publishTime": published,
        "publish_time": published,
    }
    if message.ordering_key:
        inner["orderingKey"] = message.ordering_key
    body: dict[str, Any] = {"message": inner, "subscription": subscription}
    if delivery.attempt is not None:
        body["deliveryAttempt"] = delivery.attempt
    return json.dumps(body).encode()


def _metadata(subscription: str, message: Message) -> Headers:
    """Attributes as headers, save those that HTTP cannot carry; the service's own come on top."""
    headers = {
        name.lower().encode(): value.strip().encode()
        for name, value in message.attributes.items()
        if _is_header(name, value)
    }
    own = {
        "subscription-name": subscription,
        "message-id": message.id,
        "publish-time": _rfc3339(message.published_at),
        "ordering-key": message.ordering_key,
    }
    for name, value in own.items():
        if value and not _UNSPEAKABLE.search(value):
            headers[f"x-goog-pubsub-{name}".encode()] = value.encode()
    return headers


def _is_header(name: str, value: str) -> bool:
    if name.lower() in _FRAMING or not _HEADER_NAME.fullmatch(name):
        return False
    return not _UNSPEAKABLE.search(value)


def _token(push: Push, now: int) -> bytes:
    """A JWT in the form of production's, with a signature that no key has made.

    https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
    """
    account = push.service_account or ""
    # Google's account numbers have 21 digits; one account keeps its number.
    number = str(int.from_bytes(hashlib.sha256(account.encode()).digest()) % 10**20 + 10**20)
    header = {"alg": "RS256", "kid": "embedded", "typ": "JWT"}
    claims = {
        "aud": push.audience or push.endpoint,
        "azp": number,
        "email": account,
        "email_verified": True,
        "exp": now + _TOKEN_LIFE,
        "iat": now,
        "iss": "https://accounts.google.com",
        "sub": number,
    }
    return b".".join([_part(header), _part(claims), _base64url(b"not signed")])


def _part(value: dict[str, Any]) -> bytes:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _rfc3339(microseconds: int) -> str:
    moment = _EPOCH + timedelta(microseconds=microseconds)
    precision = "microseconds" if microseconds % 1000 else "milliseconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
