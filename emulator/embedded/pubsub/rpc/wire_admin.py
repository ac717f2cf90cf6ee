"""Topics, subscriptions and snapshots between protobuf and the broker's values.

Decides what an absent field means and which fields are refused. Bounds are the broker's to check.
Defaults: https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1.
"""

from __future__ import annotations

from typing import Any

from emulator.embedded.messages import pubsub_pb
from emulator.embedded.pubsub import masks
from emulator.embedded.pubsub.model import (
    SECOND,
    DeadLetterPolicy,
    Push,
    RetryPolicy,
    Snapshot,
    Subscription,
    Topic,
)
from emulator.embedded.pubsub.rpc.wire import (
    moment,
    optional_span,
    put_span,
    refuse_set,
    span,
    timestamp,
)
from emulator.embedded.refusal import Refusal, Status, invalid

_DAY = 86_400 * SECOND
_ACTIVE = 1  # Subscription.State.ACTIVE
_VERSION = "x-goog-version"


def topic(pb: Any) -> Topic:
    """What a request asks for. Tags are taken and, as in production, never given back."""
    refuse_set(pb, masks.TOPIC.unserved)
    return Topic(
        name=pb.name,
        labels=dict(pb.labels),
        retention=optional_span(pb, "message_retention_duration"),
    )


def topic_pb(topic: Topic) -> Any:
    pb = pubsub_pb.Topic(name=topic.name, labels=dict(topic.labels))
    if topic.retention is not None:
        put_span(pb.message_retention_duration, topic.retention)
    return pb


def subscription(pb: Any) -> Subscription:
    """What a request asks for. What only the service may say (state, detached, ...) is ignored."""
    refuse_set(pb, masks.SUBSCRIPTION.unserved)
    retention = optional_span(pb, "message_retention_duration")
    return Subscription(
        name=pb.name,
        topic=pb.topic,
        ack_deadline=pb.ack_deadline_seconds * SECOND,
        push=push(pb.push_config),
        retain_acked=pb.retain_acked_messages,
        retention=7 * _DAY if retention is None else retention,
        ordered=pb.enable_message_ordering,
        filter=pb.filter,
        dead_letter=_dead_letter(pb),
        retry=_retry(pb),
        exactly_once=pb.enable_exactly_once_delivery,
        labels=dict(pb.labels),
        expires_after=_expires_after(pb),
    )


def subscription_pb(subscription: Subscription, topic_retention: int | None = None) -> Any:
    """`topic_retention` is that of the subscription's topic, None where it keeps nothing."""
    pb = pubsub_pb.Subscription(
        name=subscription.name,
        topic=subscription.topic,
        ack_deadline_seconds=subscription.ack_deadline // SECOND,
        retain_acked_messages=subscription.retain_acked,
        enable_message_ordering=subscription.ordered,
        filter=subscription.filter,
        enable_exactly_once_delivery=subscription.exactly_once,
        detached=subscription.detached,
        labels=dict(subscription.labels),
        state=_ACTIVE,
    )
    put_span(pb.message_retention_duration, subscription.retention)
    if topic_retention is not None:
        put_span(pb.topic_message_retention_duration, topic_retention)
    pb.push_config.SetInParent()
    if subscription.push is not None:
        _put_push(pb.push_config, subscription.push)
    pb.expiration_policy.SetInParent()
    if subscription.expires_after is not None:
        put_span(pb.expiration_policy.ttl, subscription.expires_after)
    if subscription.dead_letter is not None:
        pb.dead_letter_policy.dead_letter_topic = subscription.dead_letter.topic
        pb.dead_letter_policy.max_delivery_attempts = subscription.dead_letter.max_attempts
    if subscription.retry is not None:
        put_span(pb.retry_policy.minimum_backoff, subscription.retry.minimum)
        put_span(pb.retry_policy.maximum_backoff, subscription.retry.maximum)
    return pb


def snapshot(pb: Any) -> Snapshot:
    """What an update asks for."""
    expires_at = moment(pb.expire_time, "UpdateSnapshotRequest")
    return Snapshot(pb.name, pb.topic, expires_at, labels=dict(pb.labels))


def snapshot_pb(snapshot: Snapshot) -> Any:
    return pubsub_pb.Snapshot(
        name=snapshot.name,
        topic=snapshot.topic,
        expire_time=timestamp(snapshot.expires_at),
        labels=dict(snapshot.labels),
    )


def push(config: Any) -> Push | None:
    """None for a configuration without an endpoint: the subscription is pulled from."""
    _check_version(config.attributes.get(_VERSION, "v1"))
    if not config.push_endpoint:
        return None
    token = config.oidc_token if config.HasField("oidc_token") else None
    return Push(
        endpoint=config.push_endpoint,
        wrapped=not config.HasField("no_wrapper"),
        write_metadata=config.no_wrapper.write_metadata,
        service_account=token.service_account_email if token is not None else None,
        audience=token.audience if token is not None else "",
        attributes=dict(config.attributes),
    )


def _check_version(version: str) -> None:
    if version == "v1beta1":
        raise Refusal(
            Status.UNIMPLEMENTED,
            "PushConfig.attributes: the v1beta1 push format is not supported by the embedded "
            "engine.",
        )
    if version not in ("v1", "v1beta2"):
        raise invalid(f"Invalid value for the push attribute {_VERSION}: {version}")


def _put_push(config: Any, push: Push) -> None:
    config.push_endpoint = push.endpoint
    config.attributes.update({_VERSION: "v1", **push.attributes})
    if push.service_account is not None:
        config.oidc_token.service_account_email = push.service_account
        config.oidc_token.audience = push.audience
    if not push.wrapped:
        config.no_wrapper.write_metadata = push.write_metadata
        config.no_wrapper.SetInParent()


def _dead_letter(pb: Any) -> DeadLetterPolicy | None:
    if not pb.HasField("dead_letter_policy"):
        return None
    policy = pb.dead_letter_policy
    return DeadLetterPolicy(policy.dead_letter_topic, policy.max_delivery_attempts)


def _retry(pb: Any) -> RetryPolicy | None:
    if not pb.HasField("retry_policy"):
        return None
    default, policy = RetryPolicy(), pb.retry_policy
    minimum = optional_span(policy, "minimum_backoff")
    maximum = optional_span(policy, "maximum_backoff")
    return RetryPolicy(
        default.minimum if minimum is None else minimum,
        default.maximum if maximum is None else maximum,
    )


def _expires_after(pb: Any) -> int | None:
    if not pb.HasField("expiration_policy"):
        return 31 * _DAY
    policy = pb.expiration_policy
    return span(policy.ttl, "expiration_policy.ttl") if policy.HasField("ttl") else None
