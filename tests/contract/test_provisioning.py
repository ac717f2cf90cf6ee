"""The topology as an engine has it afterwards: every number, and what can never be changed."""

from __future__ import annotations

import uuid

from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient

from emulator.engine import Engine
from emulator.provision import provision
from emulator.topology import Subscription, Topology
from shared.client.connection import pointed_at

PROJECT = f"segue-provisioned-{uuid.uuid4().hex[:8]}"
PUSHED = Subscription(
    name="segue-route-12345678",
    topic="segue-events",
    push_to="http://127.0.0.1:9/route",
    ack_deadline=60,
    min_backoff=0.5,
    max_backoff=60,
    dead_letter_topic="segue-route-dead",
    max_attempts=20,
    filter='attributes.tenant = "a"',
    ordering=True,
)


async def test_a_subscription_is_made_as_planned(embedded_engine: Engine) -> None:
    plan = Topology(("segue-events", "segue-route-dead"), (PUSHED,))
    with pointed_at(embedded_engine.environment()):
        publisher, subscriber = PublisherAsyncClient(), SubscriberAsyncClient()
    await provision(plan, PROJECT, publisher, subscriber)
    made = await subscriber.get_subscription(
        subscription=f"projects/{PROJECT}/subscriptions/{PUSHED.name}"
    )
    assert (made.filter, made.enable_message_ordering) == (PUSHED.filter, True)
    assert made.ack_deadline_seconds == PUSHED.ack_deadline
    assert made.retry_policy.minimum_backoff.total_seconds() == PUSHED.min_backoff
    assert made.dead_letter_policy.max_delivery_attempts == PUSHED.max_attempts
    assert made.push_config.push_endpoint == PUSHED.push_to
