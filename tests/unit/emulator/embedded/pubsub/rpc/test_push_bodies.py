"""The HTTP requests that push deliveries, to the byte where the service documents them."""

from __future__ import annotations

import base64
import json

import pytest

from emulator.embedded.pubsub.model import SECOND, Delivery, Message, Push, Subscription
from emulator.embedded.pubsub.rpc.push_request import is_ack, push_request

NOW = 1_614_376_435_749_000
ENDPOINT = "http://127.0.0.1:8080/hook?stage=one"
MESSAGE = Message("42", b"\x00data", {"key": "value"}, NOW, "order")


def pushed(message=MESSAGE, attempt=None, **push):
    subscription = Subscription(
        "projects/p/subscriptions/s",
        "projects/p/topics/t",
        ack_deadline=20 * SECOND,
        push=Push(ENDPOINT, **push),
    )
    return push_request(subscription, Delivery("ack", message, attempt, 0), NOW)


def envelope(**options):
    return json.loads(pushed(**options).body)


def claims_of(request):
    scheme, _, token = request.headers[b"authorization"].decode().partition(" ")
    assert scheme == "Bearer"
    header, claims, signature = (part + "=" * (-len(part) % 4) for part in token.split("."))
    assert json.loads(base64.urlsafe_b64decode(header))["alg"] == "RS256"
    assert base64.urlsafe_b64decode(signature)
    return json.loads(base64.urlsafe_b64decode(claims))


def test_a_wrapped_body_is_the_documented_envelope():
    assert envelope(attempt=5) == {
        "deliveryAttempt": 5,
        "message": {
            "attributes": {"key": "value"},
            "data": base64.b64encode(b"\x00data").decode(),
            "messageId": "42",
            "message_id": "42",
            "orderingKey": "order",
            "publishTime": "2021-02-26T21:53:55.749Z",
            "publish_time": "2021-02-26T21:53:55.749Z",
        },
        "subscription": "projects/p/subscriptions/s",
    }


def test_a_request_goes_to_the_endpoint_as_json_and_lasts_as_long_as_the_lease():
    request = pushed()
    assert (request.url, request.timeout) == (ENDPOINT, 20.0)
    assert request.headers[b"content-type"] == b"application/json"
    assert b"authorization" not in request.headers


def test_attempt_and_ordering_key_are_left_out_where_there_are_none():
    body = envelope(message=Message("1", b"", {}, NOW))
    assert "deliveryAttempt" not in body
    assert "orderingKey" not in body["message"]
    assert body["message"]["data"] == ""


def test_a_publish_time_keeps_its_microseconds():
    body = envelope(message=Message("1", b"x", {}, NOW + 1))
    assert body["message"]["publishTime"] == "2021-02-26T21:53:55.749001Z"


def test_an_unwrapped_body_is_the_data_and_nothing_else():
    request = pushed(wrapped=False)
    assert request.body == b"\x00data"
    assert not any(name.startswith(b"x-goog") for name in request.headers)
    assert b"key" not in request.headers


def test_unwrapped_metadata_and_attributes_become_headers():
    request = pushed(wrapped=False, write_metadata=True)
    assert request.headers[b"x-goog-pubsub-message-id"] == b"42"
    assert request.headers[b"x-goog-pubsub-subscription-name"] == b"projects/p/subscriptions/s"
    assert request.headers[b"x-goog-pubsub-publish-time"] == b"2021-02-26T21:53:55.749Z"
    assert request.headers[b"x-goog-pubsub-ordering-key"] == b"order"
    assert request.headers[b"key"] == b"value"


def test_an_attribute_sets_the_content_type_but_never_the_metadata():
    attributes = {"Content-Type": "text/plain", "X-Goog-Pubsub-Message-Id": "forged"}
    message = Message("42", b"x", attributes, NOW)
    headers = pushed(message=message, wrapped=False, write_metadata=True).headers
    assert headers[b"content-type"] == b"text/plain"
    assert headers[b"x-goog-pubsub-message-id"] == b"42"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Length", "1"),
        ("transfer-encoding", "chunked"),
        ("host", "elsewhere"),
        ("bad name", "x"),
        ("naïve", "x"),
        ("split", "a\r\nx-injected: b"),
        ("nul", "a\0"),
    ],
)
def test_an_attribute_that_http_cannot_carry_is_no_header(name, value):
    message = Message("1", b"x", {name: value}, NOW)
    headers = pushed(message=message, wrapped=False, write_metadata=True).headers
    assert name.lower().encode() not in headers


def test_a_value_beyond_ascii_is_sent_as_utf_8():
    message = Message("1", b"x", {"city": "Zürich"}, NOW)
    headers = pushed(message=message, wrapped=False, write_metadata=True).headers
    assert headers[b"city"] == "Zürich".encode()


def test_a_token_speaks_of_the_service_account_and_the_endpoint():
    claims = claims_of(pushed(service_account="pusher@p.iam.gserviceaccount.com"))
    assert claims["aud"] == ENDPOINT
    assert claims["email"] == "pusher@p.iam.gserviceaccount.com"
    assert claims["email_verified"] is True
    assert claims["iss"] == "https://accounts.google.com"
    assert claims["sub"].isdigit()
    assert (claims["iat"], claims["exp"]) == (NOW // SECOND, NOW // SECOND + 3600)


def test_a_configured_audience_is_the_one_of_the_token():
    assert claims_of(pushed(service_account="a@p", audience="https://me"))["aud"] == "https://me"


def test_an_account_keeps_its_number():
    first, second = (claims_of(pushed(service_account="a@p"))["sub"] for _ in range(2))
    assert first == second != claims_of(pushed(service_account="b@p"))["sub"]


def test_an_unwrapped_push_carries_a_token_too():
    assert claims_of(pushed(wrapped=False, service_account="a@p"))["email"] == "a@p"


def test_the_documented_statuses_acknowledge_and_no_others():
    assert [status for status in range(100, 600) if is_ack(status)] == [102, 200, 201, 202, 204]
