"""Push requests: both spellings, what may be absent, and what nobody pushed."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.delivery.push import delivery_of
from shared.domain.envelope import Delivery, Message
from shared.errors import MessageInvalidError

DATA = base64.b64encode(b"\x00hello").decode()
AT = "2026-01-01T00:00:00.5Z"
WHEN = datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)
SUBSCRIPTION = "projects/p/subscriptions/segue-act"


def body(message: dict[str, Any] | None = None, **push: Any) -> bytes:
    sent = {"data": DATA, "attributes": {"a": "b"}, "messageId": "7", "publishTime": AT}
    given = {"message": sent if message is None else message, "subscription": SUBSCRIPTION, **push}
    return json.dumps(given).encode()


@pytest.mark.parametrize(
    "message",
    [
        {"data": DATA, "attributes": {"a": "b"}, "messageId": "7", "publishTime": AT},
        {"data": DATA, "attributes": {"a": "b"}, "message_id": "7", "publish_time": AT},
        {
            "data": DATA,
            "attributes": {"a": "b"},
            "messageId": "7",
            "message_id": "8",
            "publishTime": AT,
            "publish_time": "2020-01-01T00:00:00Z",
        },
        {
            "data": DATA,
            "attributes": {"a": "b"},
            "messageId": 7,
            "publishTime": "2026-01-01T01:00:00.5+01:00",
        },
    ],
)
def test_both_spellings_are_the_same_delivery(message: dict[str, Any]) -> None:
    assert delivery_of(body(message, deliveryAttempt=2)) == Delivery(
        message=Message(b"\x00hello", {"a": "b"}),
        message_id="7",
        published_at=WHEN,
        subscription="segue-act",
        attempt=2,
    )


@pytest.mark.parametrize("absent", [{}, {"data": ""}, {"data": None}, {"attributes": None}])
def test_a_message_may_have_no_data_and_no_attributes(absent: dict[str, Any]) -> None:
    found = delivery_of(body({"messageId": "7", "publishTime": AT, **absent}))
    assert found.message == Message(b"", {})


@pytest.mark.parametrize(
    ("push", "attempt"),
    [
        ({}, None),
        ({"deliveryAttempt": 0}, None),
        ({"deliveryAttempt": None}, None),
        ({"deliveryAttempt": 1}, 1),
        ({"deliveryAttempt": "3"}, 3),
        ({"delivery_attempt": 4}, 4),
    ],
)
def test_an_attempt_that_is_not_counted_is_none(push: dict[str, Any], attempt: int | None) -> None:
    assert delivery_of(body(**push)).attempt == attempt


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"hello",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b'{"message": null, "subscription": "s"}',
        b'{"message": [], "subscription": "s"}',
        b'{"message": "m", "subscription": "s"}',
        b"[" * 100_000,
        body({}),
        body({"messageId": "7"}),
        body({"publishTime": AT}),
        body({"messageId": "7", "publishTime": "today"}),
        body({"messageId": "7", "publishTime": "2026-01-01T00:00:00"}),
        body({"messageId": "7", "publishTime": AT, "data": "no base64!"}),
        body({"messageId": "7", "publishTime": AT, "data": "YQ"}),
        body({"messageId": "7", "publishTime": AT, "data": 5}),
        body({"messageId": "7", "publishTime": AT, "attributes": "a"}),
        body(deliveryAttempt="often"),
        body(deliveryAttempt={"a": 1}),
        json.dumps({"message": {"messageId": "7", "publishTime": AT}}).encode(),
    ],
)
def test_what_is_no_push_request_is_refused(garbage: bytes) -> None:
    with pytest.raises(MessageInvalidError, match="not a Pub/Sub push request"):
        delivery_of(garbage)
