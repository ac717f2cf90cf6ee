"""Creates the topology on a running engine; what is there already is left as it is."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from google.api_core.exceptions import AlreadyExists
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient, types

from emulator.topology import Subscription, Topology


async def provision(
    plan: Topology,
    project: str,
    publisher: PublisherAsyncClient,
    subscriber: SubscriberAsyncClient,
) -> None:
    """All topics, then all subscriptions."""
    for topic in plan.topics:
        with suppress(AlreadyExists):
            await publisher.create_topic(name=_topic(project, topic))
    for subscription in plan.subscriptions:
        request = _request(subscription, project)
        try:
            await subscriber.create_subscription(request)
        except AlreadyExists:  # an earlier run's: its endpoint may be another
            push = types.ModifyPushConfigRequest(
                subscription=request.name, push_config=request.push_config
            )
            await subscriber.modify_push_config(push)


def _request(plan: Subscription, project: str) -> types.Subscription:
    request = types.Subscription(
        name=f"projects/{project}/subscriptions/{plan.name}",
        topic=_topic(project, plan.topic),
        ack_deadline_seconds=plan.ack_deadline,
        retry_policy=types.RetryPolicy(
            minimum_backoff=_duration(plan.min_backoff), maximum_backoff=_duration(plan.max_backoff)
        ),
        expiration_policy=types.ExpirationPolicy(),  # no ttl: never
        filter=plan.filter,
        enable_message_ordering=plan.ordering,
    )
    if plan.push_to is not None:
        request.push_config = types.PushConfig(push_endpoint=plan.push_to)
    if plan.dead_letter_topic is not None:
        request.dead_letter_policy = types.DeadLetterPolicy(
            dead_letter_topic=_topic(project, plan.dead_letter_topic),
            max_delivery_attempts=plan.max_attempts,
        )
    return request


def _topic(project: str, name: str) -> str:
    return f"projects/{project}/topics/{name}"


def _duration(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
