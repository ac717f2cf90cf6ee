"""Push: https://cloud.google.com/pubsub/docs/push, .../payload-unwrapping."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from google.pubsub_v1 import SubscriberAsyncClient
from google.pubsub_v1.types import PubsubMessage

from tests.conformance.pubsub.conftest import Lanes
from tests.conformance.pubsub.hook import Hook
from tests.conformance.pubsub.lane import PATIENCE

MESSAGE = PubsubMessage(data=b'{"status": "hello"}', attributes={"colour": "gr\u00fcn"})


def to(hook: Hook, **push: Any) -> dict[str, Any]:
    return {"push_endpoint": hook.url, **push}


async def test_a_wrapped_push_has_the_documented_keys(lanes: Lanes, hook: Hook) -> None:
    lane = await lanes(push_config=to(hook))
    [message_id] = await lane.publish(MESSAGE)
    [pushed] = await hook.received(1)
    assert pushed.headers["content-type"].startswith("application/json")
    envelope = pushed.envelope
    message = envelope["message"]
    assert envelope["subscription"] == lane.subscription
    assert message["attributes"] == {"colour": "gr\u00fcn"}
    assert base64.b64decode(message["data"]) == MESSAGE.data
    assert message["messageId"] == message["message_id"] == message_id
    assert message["publishTime"] == message["publish_time"]
    assert datetime.fromisoformat(message["publishTime"]).utcoffset() is not None


async def test_a_wrapped_push_has_no_attempt_without_a_dead_letter_policy(
    lanes: Lanes, hook: Hook
) -> None:
    lane = await lanes(push_config=to(hook))
    await lane.publish(MESSAGE)
    [pushed] = await hook.received(1)
    assert pushed.envelope.keys() == {"message", "subscription"}
    assert "orderingKey" not in pushed.envelope["message"]


async def test_a_wrapped_push_counts_attempts_under_a_dead_letter_policy(
    lanes: Lanes, hook: Hook
) -> None:
    hook.answer = lambda _: 500 if len(hook.pushed) < 3 else 200
    policy = {"dead_letter_topic": (await lanes()).topic, "max_delivery_attempts": 5}
    lane = await lanes(push_config=to(hook), dead_letter_policy=policy)
    await lane.publish(MESSAGE)
    pushed = await hook.received(3)
    assert [each.envelope["deliveryAttempt"] for each in pushed] == [1, 2, 3]


async def test_a_wrapped_push_names_the_ordering_key(lanes: Lanes, hook: Hook) -> None:
    lane = await lanes(push_config=to(hook), enable_message_ordering=True)
    await lane.publish(PubsubMessage(data=b"x", ordering_key="key"))
    [pushed] = await hook.received(1)
    assert pushed.envelope["message"]["orderingKey"] == "key"


async def test_an_unwrapped_push_is_the_data_alone(lanes: Lanes, hook: Hook) -> None:
    lane = await lanes(push_config=to(hook, no_wrapper={"write_metadata": False}))
    await lane.publish(MESSAGE)
    [pushed] = await hook.received(1)
    assert pushed.body == MESSAGE.data
    assert not [name for name in pushed.headers if name.startswith("x-goog-pubsub")]
    assert "colour" not in pushed.headers


async def test_the_metadata_of_an_unwrapped_push_are_headers(lanes: Lanes, hook: Hook) -> None:
    push = to(hook, no_wrapper={"write_metadata": True})
    lane = await lanes(push_config=push)
    [message_id] = await lane.publish(PubsubMessage(data=b"x", attributes={"colour": "green"}))
    [pushed] = await hook.received(1)
    headers = pushed.headers
    assert pushed.body == b"x"
    assert headers["x-goog-pubsub-message-id"] == message_id
    assert headers["x-goog-pubsub-subscription-name"] == lane.subscription
    assert datetime.fromisoformat(headers["x-goog-pubsub-publish-time"])
    assert headers["colour"] == "green"


async def test_the_ordering_key_of_an_unwrapped_push_is_a_header(lanes: Lanes, hook: Hook) -> None:
    push = to(hook, no_wrapper={"write_metadata": True})
    lane = await lanes(push_config=push, enable_message_ordering=True)
    await lane.publish(PubsubMessage(data=b"x", ordering_key="key"))
    [pushed] = await hook.received(1)
    assert pushed.headers["x-goog-pubsub-ordering-key"] == "key"


async def test_a_push_is_authenticated(lanes: Lanes, hook: Hook) -> None:
    token = {"service_account_email": "pusher@example.iam.gserviceaccount.com", "audience": "me"}
    lane = await lanes(push_config=to(hook, oidc_token=token))
    await lane.publish(MESSAGE)
    [pushed] = await hook.received(1)
    claims = _claims(pushed.headers["authorization"])
    assert claims["email"] == "pusher@example.iam.gserviceaccount.com"
    assert claims["aud"] == "me"
    assert claims["iss"] == "https://accounts.google.com"
    assert claims["email_verified"] is True
    assert claims["exp"] > claims["iat"]


async def test_the_audience_of_a_push_is_its_endpoint(lanes: Lanes, hook: Hook) -> None:
    token = {"service_account_email": "pusher@example.iam.gserviceaccount.com"}
    lane = await lanes(push_config=to(hook, oidc_token=token))
    await lane.publish(MESSAGE)
    [pushed] = await hook.received(1)
    assert _claims(pushed.headers["authorization"])["aud"] == hook.url


async def test_a_push_without_a_service_account_is_anonymous(lanes: Lanes, hook: Hook) -> None:
    lane = await lanes(push_config=to(hook))
    await lane.publish(MESSAGE)
    [pushed] = await hook.received(1)
    assert "authorization" not in pushed.headers


@pytest.mark.parametrize("statuses", [(200, 201, 204), (202,)], ids=["usual", "accepted"])
async def test_success_acknowledges_a_push(
    lanes: Lanes, hooks: Callable[[], Hook], statuses: tuple[int, ...]
) -> None:
    made = [(status, hooks()) for status in statuses]
    for status, hook in made:
        hook.answer = lambda _, status=status: status
        await (await lanes(push_config=to(hook))).publish(MESSAGE)
    await asyncio.gather(*(hook.received(1) for _, hook in made))
    await asyncio.sleep(1.2)
    assert [len(hook.pushed) for _, hook in made] == [1] * len(made)


@pytest.mark.parametrize(
    "statuses", [(206, 301, 400, 404, 429, 500, 503), (203,)], ids=["usual", "changed"]
)
async def test_any_other_status_does_not_acknowledge(
    lanes: Lanes, hooks: Callable[[], Hook], statuses: tuple[int, ...]
) -> None:
    made = [(status, hooks()) for status in statuses]
    for status, hook in made:
        hook.answer = lambda _, hook=hook, status=status: status if len(hook.pushed) < 2 else 200
        await (await lanes(push_config=to(hook))).publish(MESSAGE)
    await asyncio.gather(*(hook.received(2) for _, hook in made))


async def test_a_nacked_push_comes_again_unchanged(lanes: Lanes, hook: Hook) -> None:
    hook.answer = lambda _: 500 if len(hook.pushed) == 1 else 200
    lane = await lanes(push_config=to(hook))
    await lane.publish(MESSAGE)
    first, second = await hook.received(2)
    assert second.envelope == first.envelope


async def test_pushes_go_where_the_subscription_now_says(
    subscriber: SubscriberAsyncClient, lanes: Lanes, hooks: Callable[[], Hook]
) -> None:
    failing, working = hooks(), hooks()
    failing.answer = lambda _: 500
    lane = await lanes(push_config=to(failing))
    await lane.publish(MESSAGE)
    await failing.received(1)
    await subscriber.modify_push_config(subscription=lane.subscription, push_config=to(working))
    [pushed] = await working.received(1)
    assert pushed.data == MESSAGE.data


async def test_a_paused_push_is_left_to_pull(
    subscriber: SubscriberAsyncClient, lanes: Lanes, hook: Hook
) -> None:
    lane = await lanes(push_config=to(hook))
    await subscriber.modify_push_config(subscription=lane.subscription, push_config={})
    await lane.publish(MESSAGE)
    assert await lane.drain(1) == [MESSAGE.data]
    assert not hook.pushed


async def test_what_waited_is_pushed_when_a_subscription_becomes_push(
    subscriber: SubscriberAsyncClient, lanes: Lanes, hook: Hook
) -> None:
    lane = await lanes()
    await lane.publish(MESSAGE)
    await subscriber.modify_push_config(subscription=lane.subscription, push_config=to(hook))
    [pushed] = await hook.received(1)
    assert pushed.data == MESSAGE.data


async def test_an_endpoint_that_is_down_is_tried_again(
    subscriber: SubscriberAsyncClient, lanes: Lanes, hook: Hook, unused_tcp_port: int
) -> None:
    nowhere = {"push_endpoint": f"http://127.0.0.1:{unused_tcp_port}/"}
    lane = await lanes(push_config=nowhere)
    await lane.publish(MESSAGE)
    await subscriber.modify_push_config(subscription=lane.subscription, push_config=to(hook))
    await hook.received(1)


async def test_many_messages_are_pushed_once_each(lanes: Lanes, hook: Hook) -> None:
    lane = await lanes(push_config=to(hook))
    sent = [str(number).encode() for number in range(100)]
    await lane.publish(*sent)
    pushed = await hook.received(100, within=2 * PATIENCE)
    assert sorted(each.data for each in pushed) == sorted(sent)


def _claims(authorization: str) -> dict[str, Any]:
    scheme, _, token = authorization.partition(" ")
    assert scheme == "Bearer"
    _header, payload, _signature = token.split(".")
    found: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return found
