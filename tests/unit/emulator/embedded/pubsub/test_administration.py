"""Topics and subscriptions: made, changed, listed, detached, deleted, expired."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emulator.embedded.pubsub.model import (
    DELETED_TOPIC,
    SECOND,
    DeadLetterPolicy,
    Push,
    RetryPolicy,
    Subscription,
    Topic,
)
from emulator.embedded.refusal import Refusal, Status

SUB = "projects/p/subscriptions/sub"
TOP = "projects/p/topics/top"
DAY = 86_400 * SECOND


def refusal(call):
    with pytest.raises(Refusal) as refused:
        call()
    return refused.value


def test_what_was_made_can_be_read_and_listed_by_project(world):
    other = world.broker.create_topic(Topic("projects/pp/topics/top"))
    second = world.topic("another", labels={"a": "b"})
    made = world.subscription()

    assert world.broker.list_topics("projects/p") == [second, Topic(TOP)]
    assert world.broker.list_topics("projects/pp") == [other]
    assert world.broker.get_subscription(SUB) == made
    assert world.broker.list_subscriptions("projects/p") == [made]
    assert world.broker.list_subscriptions("projects/pp") == []
    assert world.broker.topic_subscriptions(TOP) == [SUB]


def test_a_name_is_used_once(world):
    world.subscription()

    assert refusal(world.topic).status is Status.ALREADY_EXISTS
    assert refusal(world.subscription).status is Status.ALREADY_EXISTS


def test_what_does_not_exist_is_not_found(world):
    broker, nope = world.broker, "projects/p/{}/nope"
    for call in (
        lambda: broker.get_topic(nope.format("topics")),
        lambda: broker.delete_topic(nope.format("topics")),
        lambda: broker.topic_subscriptions(nope.format("topics")),
        lambda: broker.topic_snapshots(nope.format("topics")),
        lambda: broker.update_topic(Topic(nope.format("topics")), ["labels"]),
        lambda: world.subscription(of="nope"),
        lambda: world.subscription(dead_letter=DeadLetterPolicy(nope.format("topics"))),
        lambda: broker.get_subscription(nope.format("subscriptions")),
        lambda: broker.delete_subscription(nope.format("subscriptions")),
        lambda: broker.detach_subscription(nope.format("subscriptions")),
        lambda: broker.modify_push(nope.format("subscriptions"), None),
        lambda: broker.pull(nope.format("subscriptions"), 1),
        lambda: broker.acknowledge(nope.format("subscriptions"), []),
        lambda: broker.modify_deadline(nope.format("subscriptions"), [], 0),
        lambda: broker.seek_to_time(nope.format("subscriptions"), 0),
    ):
        refused = refusal(call)
        assert (refused.status, refused.message) == (
            Status.NOT_FOUND,
            "Resource not found (resource=nope).",
        )
    assert broker.list_subscriptions("projects/p") == []


def test_names_of_another_form_are_invalid(world):
    for call in (
        lambda: world.broker.get_topic("top"),
        lambda: world.broker.get_subscription(TOP),
        lambda: world.broker.list_topics("p"),
    ):
        assert refusal(call).status is Status.INVALID_ARGUMENT


def test_an_update_changes_what_the_mask_names_and_nothing_else(world):
    made = world.subscription(labels={"a": "b"}, filter="attributes:x")
    wanted = Subscription(
        SUB,
        "ignored",
        ack_deadline=60 * SECOND,
        push=Push("https://example.com/"),
        retain_acked=True,
        retention=DAY,
        ordered=True,
        retry=RetryPolicy(),
        expires_after=None,
    )
    changes = {
        "ack_deadline_seconds": {"ack_deadline": 60 * SECOND},
        "push_config": {"push": wanted.push},
        "retain_acked_messages": {"retain_acked": True},
        "message_retention_duration": {"retention": DAY},
        "labels": {"labels": {}},
        "expiration_policy": {"expires_after": None},
        "retry_policy": {"retry": RetryPolicy()},
    }
    expected = made
    for path, change in changes.items():
        expected = replace(expected, **change)
        assert world.broker.update_subscription(wanted, [path]) == expected

    world.broker.modify_push(SUB, None)
    exactly_once = Subscription(SUB, "", exactly_once=True, dead_letter=None)
    both = ["enable_exactly_once_delivery", "dead_letter_policy"]
    updated = world.broker.update_subscription(exactly_once, both)
    assert updated == replace(expected, push=None, exactly_once=True)
    assert world.broker.get_subscription(SUB) == updated


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (None, "must contain a non-empty paths list"),
        ("topic", "the topic field in the Subscription is not mutable"),
        ("filter", "the filter field in the Subscription is not mutable"),
        ("enable_message_ordering", "not mutable"),
        ("name", "not mutable"),
        ("detached", "not mutable"),
        ("pushConfig", "pushConfig is not a known Subscription field"),
        ("push_config.push_endpoint", "is not a known Subscription field"),
    ],
)
def test_other_masks_are_refused(world, path, why):
    made = world.subscription()
    paths = ["labels", path] if path else []

    wanted = Subscription(SUB, TOP, labels={"a": "b"})
    refused = refusal(lambda: world.broker.update_subscription(wanted, paths))

    assert refused.status is Status.INVALID_ARGUMENT
    assert why in refused.message
    assert world.broker.get_subscription(SUB) == made


def test_fields_that_are_not_served_are_unimplemented(world):
    world.subscription()
    for call in (
        lambda: world.broker.update_subscription(Subscription(SUB, TOP), ["bigquery_config"]),
        lambda: world.broker.update_subscription(Subscription(SUB, TOP), ["bigtable_config"]),
        lambda: world.broker.update_topic(Topic(TOP), ["schema_settings"]),
    ):
        assert refusal(call).status is Status.UNIMPLEMENTED


def test_an_update_is_validated_as_a_whole(world):
    world.subscription(exactly_once=True)
    push = Subscription(SUB, TOP, push=Push("https://example.com/"))
    letters = Subscription(SUB, TOP, dead_letter=DeadLetterPolicy("projects/p/topics/nope"))

    for call in (
        lambda: world.broker.update_subscription(push, ["push_config"]),
        lambda: world.broker.modify_push(SUB, push.push),
        lambda: world.broker.update_subscription(letters, ["dead_letter_policy"]),
    ):
        refusal(call)
    assert world.broker.get_subscription(SUB).push is None


def test_new_settings_hold_for_what_is_already_there(world):
    world.subscription()
    world.publish("a")
    world.nack(*world.pull())
    wanted = Subscription(SUB, TOP, retry=RetryPolicy(5 * SECOND, 5 * SECOND))
    world.broker.update_subscription(wanted, ["retry_policy"])

    world.nack(*world.pull())

    assert world.waiting() == 5


def test_a_new_push_endpoint_is_told_of_what_waits(world):
    world.subscription()
    world.publish("a")
    world.told.clear()

    world.broker.modify_push(SUB, Push("https://example.com/"))

    assert world.told == [SUB]


def test_a_topic_can_be_changed(world):
    wanted = Topic(TOP, {"a": "b"}, DAY)

    assert world.broker.update_topic(wanted, ["labels"]) == Topic(TOP, {"a": "b"})
    assert world.broker.update_topic(wanted, ["message_retention_duration"]) == wanted
    for paths in ([], ["name"], ["foo"]):
        refusal(lambda paths=paths: world.broker.update_topic(wanted, paths))


def test_a_subscription_outlives_its_topic_with_what_it_has(world):
    world.subscription()
    world.publish("a")

    world.broker.delete_topic(TOP)
    assert world.broker.get_subscription(SUB).topic == DELETED_TOPIC
    world.topic()
    world.publish("b")

    assert world.broker.topic_subscriptions(TOP) == []
    assert world.drain() == ["a"]


def test_a_detached_subscription_has_and_gets_nothing(world):
    world.subscription()
    world.publish("a")
    (leased,) = world.pull()

    for _ in range(2):  # the second time changes nothing
        world.broker.detach_subscription(SUB)
    world.publish("b")

    assert world.broker.get_subscription(SUB).detached
    assert world.broker.topic_subscriptions(TOP) == []
    assert not world.journal.tables["pubsub_messages"]
    assert world.ack(leased) == (leased.ack_id,)
    for call in (
        world.pull,
        lambda: world.broker.seek_to_time(SUB, 0),
        lambda: world.broker.create_snapshot("", SUB, {}),
    ):
        assert refusal(call).status is Status.FAILED_PRECONDITION


def test_a_deleted_subscription_is_gone(world):
    world.subscription()
    world.publish("a")
    world.broker.delete_subscription(SUB)
    world.publish("b")

    assert refusal(world.pull).status is Status.NOT_FOUND
    world.subscription()
    assert world.texts() == []


def test_an_unused_subscription_expires(world):
    world.subscription(expires_after=DAY, retention=DAY)
    world.wait(80_000)
    world.pull()
    world.wait(80_000)
    world.broker.touch(SUB)
    assert world.waiting() == 86_400

    world.wait(86_399)
    assert world.broker.topic_subscriptions(TOP) == [SUB]
    world.wait(1)
    assert world.broker.topic_subscriptions(TOP) == []
    world.broker.touch(SUB)
    assert world.waiting() is None


def test_a_subscription_may_never_expire(world):
    world.subscription(expires_after=None)

    assert world.waiting() is None
