"""What protobuf says of topics, subscriptions and messages, and what the broker makes of it."""

from __future__ import annotations

import pytest

from emulator.embedded.messages import Timestamp, pubsub_pb
from emulator.embedded.pubsub import masks
from emulator.embedded.pubsub.model import (
    SECOND,
    DeadLetterPolicy,
    Delivery,
    Message,
    Push,
    RetryPolicy,
    Snapshot,
    Subscription,
    Topic,
)
from emulator.embedded.pubsub.rpc import wire_admin
from emulator.embedded.pubsub.rpc.paging import page
from emulator.embedded.pubsub.rpc.wire import moment, span, timestamp
from emulator.embedded.pubsub.rpc.wire_messages import messages, pull_response
from emulator.embedded.refusal import Refusal, Status

DAY = 86_400 * SECOND
NAME, TOPIC = "projects/p/subscriptions/s", "projects/p/topics/t"


def refused(action, *arguments):
    with pytest.raises(Refusal) as caught:
        action(*arguments)
    return caught.value


@pytest.mark.parametrize("fields", [masks.TOPIC, masks.SUBSCRIPTION, masks.SNAPSHOT])
def test_a_mask_may_name_every_field_there_is(fields: masks.Fields) -> None:
    known = fields.mutable.keys() | fields.immutable | fields.unserved
    assert known == {field.name for field in getattr(pubsub_pb, fields.kind).DESCRIPTOR.fields}


def through_the_wire(subscription):
    raw = wire_admin.subscription_pb(subscription).SerializeToString()
    return wire_admin.subscription(pubsub_pb.Subscription.FromString(raw))


@pytest.mark.parametrize("retention", [None, 0, 600 * SECOND, 31 * DAY + 1])
def test_a_topic_survives_the_wire(retention):
    topic = Topic(TOPIC, {"team": "flows"}, retention)
    assert wire_admin.topic(wire_admin.topic_pb(topic)) == topic


@pytest.mark.parametrize(
    "subscription",
    [
        Subscription(NAME, TOPIC),
        Subscription(
            NAME,
            TOPIC,
            ack_deadline=600 * SECOND,
            retain_acked=True,
            retention=10 * 60 * SECOND,
            ordered=True,
            filter='attributes.kind = "ticket"',
            dead_letter=DeadLetterPolicy("projects/p/topics/dead", 7),
            retry=RetryPolicy(0, 1_500_000),
            exactly_once=True,
            labels={"a": "b"},
            expires_after=None,
        ),
        Subscription(NAME, TOPIC, expires_after=DAY),
    ],
)
def test_a_subscription_survives_the_wire(subscription):
    assert through_the_wire(subscription) == subscription


@pytest.mark.parametrize(
    "push",
    [
        Push("http://127.0.0.1/x"),
        Push("http://127.0.0.1/x", wrapped=False),
        Push("http://127.0.0.1/x", wrapped=False, write_metadata=True),
        Push("http://127.0.0.1/x", service_account="a@p.iam", audience="https://me"),
    ],
)
def test_a_push_configuration_survives_the_wire_and_always_shows_its_version(push):
    seen = through_the_wire(Subscription(NAME, TOPIC, push=push)).push
    assert seen is not None
    assert seen.attributes == {"x-goog-version": "v1"}
    assert (seen.endpoint, seen.wrapped, seen.write_metadata, seen.service_account) == (
        push.endpoint,
        push.wrapped,
        push.write_metadata,
        push.service_account,
    )
    assert seen.audience == push.audience


def test_what_a_request_leaves_out_takes_the_documented_default():
    asked = wire_admin.subscription(pubsub_pb.Subscription(name=NAME, topic=TOPIC))
    assert asked.retention == 7 * DAY
    assert asked.expires_after == 31 * DAY
    assert asked.push is asked.retry is asked.dead_letter is None


def test_an_expiration_policy_without_a_ttl_means_never():
    pb = pubsub_pb.Subscription(name=NAME, topic=TOPIC)
    pb.expiration_policy.SetInParent()
    assert wire_admin.subscription(pb).expires_after is None


def test_a_retry_policy_may_leave_either_bound_out():
    pb = pubsub_pb.Subscription(name=NAME, topic=TOPIC)
    pb.retry_policy.minimum_backoff.seconds = 3
    assert wire_admin.subscription(pb).retry == RetryPolicy(3 * SECOND, 600 * SECOND)


def test_a_push_configuration_without_an_endpoint_is_no_push():
    pb = pubsub_pb.Subscription(name=NAME, topic=TOPIC)
    pb.push_config.attributes["x-goog-version"] = "v1"
    assert wire_admin.subscription(pb).push is None


def test_what_only_the_service_may_say_is_ignored_in_a_request():
    pb = pubsub_pb.Subscription(name=NAME, topic=TOPIC, detached=True, state=2)
    pb.topic_message_retention_duration.seconds = -1
    assert wire_admin.subscription(pb) == Subscription(NAME, TOPIC, ack_deadline=0)


def test_a_subscription_shows_the_retention_of_its_topic():
    pb = wire_admin.subscription_pb(Subscription(NAME, TOPIC), 600 * SECOND)
    assert pb.topic_message_retention_duration.seconds == 600
    assert pb.state == 1
    assert pb.HasField("push_config")


@pytest.mark.parametrize(
    "field", ["bigquery_config", "cloud_storage_config", "bigtable_config", "message_transforms"]
)
def test_export_and_transforms_are_refused_by_name(field):
    pb = pubsub_pb.Subscription(name=NAME, topic=TOPIC)
    if field == "message_transforms":
        pb.message_transforms.add()
    else:
        getattr(pb, field).SetInParent()
    refusal = refused(wire_admin.subscription, pb)
    assert refusal.status is Status.UNIMPLEMENTED
    assert field in refusal.message


@pytest.mark.parametrize(
    "field",
    ["message_storage_policy", "schema_settings", "ingestion_data_source_settings"],
)
def test_schemas_ingestion_and_storage_policies_are_refused_by_name(field):
    pb = pubsub_pb.Topic(name=TOPIC)
    getattr(pb, field).SetInParent()
    refusal = refused(wire_admin.topic, pb)
    assert refusal.status is Status.UNIMPLEMENTED
    assert field in refusal.message


@pytest.mark.parametrize(
    ("version", "status"), [("v1beta1", Status.UNIMPLEMENTED), ("v9", Status.INVALID_ARGUMENT)]
)
def test_another_push_format_than_v1_is_refused(version, status):
    pb = pubsub_pb.PushConfig(push_endpoint="http://x", attributes={"x-goog-version": version})
    assert refused(wire_admin.push, pb).status is status


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(2**60, 0), (1, -1), (-1, 1), (0, 10**9), (-(2**60), 0)]
)
def test_an_impossible_duration_is_refused(seconds, nanos):
    pb = pubsub_pb.Topic()
    pb.message_retention_duration.seconds = seconds
    pb.message_retention_duration.nanos = nanos
    assert refused(span, pb.message_retention_duration, "x").status is Status.INVALID_ARGUMENT


def test_spans_of_less_than_a_second_keep_their_sign_and_microseconds():
    pb = pubsub_pb.Topic()
    pb.message_retention_duration.nanos = -1_500
    assert span(pb.message_retention_duration, "x") == -1


@pytest.mark.parametrize("at", [0, -1, 1_700_000_000_123_456, -62_135_596_800 * SECOND])
def test_a_moment_survives_the_wire(at):
    assert moment(timestamp(at), "SeekRequest") == at


@pytest.mark.parametrize(("seconds", "nanos"), [(2**60, 0), (0, -1), (0, 10**9), (-(2**60), 0)])
def test_an_impossible_timestamp_is_refused(seconds, nanos):
    refusal = refused(moment, Timestamp(seconds=seconds, nanos=nanos), "SeekRequest")
    assert refusal.message.startswith("An invalid time was specified in the SeekRequest")


def test_a_message_survives_the_wire():
    delivery = Delivery("ack", Message("7", b"\0\xff", {"k": "ü"}, 1_500_001, "key"), 3, 0)
    received = pull_response([delivery]).received_messages[0]
    assert (received.ack_id, received.delivery_attempt) == ("ack", 3)
    assert (received.message.message_id, received.message.publish_time.nanos) == ("7", 500_001_000)
    assert messages([received.message]) == [Message("", b"\0\xff", {"k": "ü"}, 0, "key")]


def test_an_unknown_delivery_attempt_is_left_out():
    delivery = Delivery("ack", Message("7", b"x", {}, 0), None, 0)
    assert pull_response([delivery]).received_messages[0].delivery_attempt == 0


def test_a_snapshot_shows_when_it_expires():
    pb = wire_admin.snapshot_pb(Snapshot("projects/p/snapshots/n", TOPIC, 5_000_001, {"a": "b"}))
    assert (pb.expire_time.seconds, pb.expire_time.nanos) == (5, 1000)
    assert dict(pb.labels) == {"a": "b"}
    assert wire_admin.snapshot(pb).expires_at == 5_000_001


def listed(items, size, token=""):
    request = pubsub_pb.ListTopicsRequest(page_size=size, page_token=token)
    given, following = page(items, request, str)
    return list(given), following


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_pages_together_give_every_item_once(size):
    items, seen, token = list("abcdefg"), [], ""
    while True:
        given, token = listed(items, size, token)
        seen += given
        if not token:
            break
    assert seen == items


def test_what_is_deleted_between_two_pages_hides_nothing_else():
    _, token = listed(["a", "b", "c"], 2)
    assert listed(["c"], 2, token) == (["c"], "")


def test_pages_have_a_default_and_a_largest_size():
    items = [f"{number:05}" for number in range(1500)]
    assert len(listed(items, 0)[0]) == 100
    assert len(listed(items, 1500)[0]) == 1000


@pytest.mark.parametrize("token", ["zzz", "%%%%", "ü", "//79"])
def test_a_page_token_from_elsewhere_is_refused(token):
    assert refused(listed, ["a"], 1, token).status is Status.INVALID_ARGUMENT


def test_a_negative_page_size_is_refused():
    assert refused(listed, ["a"], -1).status is Status.INVALID_ARGUMENT
