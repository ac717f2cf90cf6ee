"""Attempts, and what becomes of a message that failed too often."""

from __future__ import annotations

import pytest

from emulator.embedded.pubsub.model import SECOND, RetryPolicy, Subscription

SUB = "projects/p/subscriptions/sub"


def fail(world, times):
    """Refuses what there is, so often; the attempts seen."""
    attempts = []
    for _ in range(times):
        deliveries = world.pull()
        attempts.append([delivery.attempt for delivery in deliveries])
        world.nack(*deliveries)
    return attempts


def test_attempts_count_from_one_by_one(world, dead_letters):
    world.subscription(dead_letter=dead_letters)
    world.publish("a")

    assert fail(world, 3) == [[1], [2], [3]]
    world.pull()
    world.wait(10)
    assert [delivery.attempt for delivery in world.pull()] == [5]


def test_the_last_failure_makes_a_dead_letter(world, dead_letters):
    world.subscription(dead_letter=dead_letters)
    world.now += 123_456
    world.publish("a", key="k", kind="x")

    fail(world, 4)
    assert world.texts("graves") == []
    world.now += SECOND
    fail(world, 1)

    assert world.texts() == []
    (letter,) = world.pull("graves")
    assert letter.message.data == b"a"
    assert letter.message.ordering_key == "k"
    assert letter.message.published_at == world.now
    assert letter.message.attributes == {
        "kind": "x",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": "sub",
        "CloudPubSubDeadLetterSourceSubscriptionProject": "p",
        "CloudPubSubDeadLetterSourceTopicPublishTime": "2023-11-14T22:13:20.123+00:00",
    }
    assert letter.attempt is None


def test_expired_leases_count_as_failures(world, dead_letters):
    world.subscription(dead_letter=dead_letters)
    world.publish("a")
    for _ in range(5):
        world.pull()
        world.wait(10)

    assert world.texts() == []
    assert world.texts("graves") == ["a"]


def test_back_off_goes_on_until_the_last_attempt_and_then_there_is_none(world, dead_letters):
    world.subscription(dead_letter=dead_letters, retry=RetryPolicy(SECOND, 2 * SECOND))
    world.publish("a")
    waits = []
    for _ in range(4):
        fail(world, 1)
        waits.append(world.waiting())
        world.wait(waits[-1])

    fail(world, 1)

    assert waits == [1, 2, 2, 2]
    assert world.texts("graves") == ["a"]


def test_without_its_topic_a_letter_stays_where_it_is(world, dead_letters):
    world.subscription(dead_letter=dead_letters)
    world.publish("a")
    world.broker.delete_topic(dead_letters.topic)

    assert fail(world, 6) == [[1], [2], [3], [4], [5], [6]]

    world.topic("dead")
    world.subscription("others", of="dead")
    assert fail(world, 1) == [[7]]
    assert world.texts() == []
    (letter,) = world.pull("others")
    assert letter.message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "7"


def test_a_dead_letter_wakes_the_subscriptions_of_its_topic(world, dead_letters):
    world.subscription(dead_letter=dead_letters)
    world.publish("a")
    fail(world, 4)
    deliveries = world.pull()
    world.told.clear()

    world.nack(*deliveries)

    assert world.told == ["projects/p/subscriptions/graves"]


@pytest.mark.parametrize("by", ["refusal", "expiry"])
def test_a_dead_head_lets_the_next_of_its_key_go_on(world, dead_letters, by):
    world.subscription(dead_letter=dead_letters, ordered=True)
    world.publish("a", "b", "c", key="k")
    world.publish("free")
    seen = []
    for _ in range(5):
        deliveries = world.pull()
        seen += [delivery.message.data.decode() for delivery in deliveries]
        heads = [one for one in deliveries if one.message.ordering_key]
        world.ack(*(one for one in deliveries if not one.message.ordering_key))
        if by == "refusal":
            world.nack(*heads)
        else:
            world.wait(10)

    assert seen == ["a", "free", "a", "a", "a", "a"]
    assert world.drain() == ["b", "c"]
    assert world.drain("graves") == ["a"]


def test_letters_of_a_key_keep_their_order(world, dead_letters):
    world.broker.delete_subscription("projects/p/subscriptions/graves")
    world.subscription("graves", of="dead", ordered=True)
    world.subscription(dead_letter=dead_letters, ordered=True)
    world.publish("a", "b", "c", key="k")

    fail(world, 15)

    assert world.drain("graves") == ["a", "b", "c"]


def test_a_topic_may_be_its_own_dead_letter_topic(world, dead_letters):
    own = type(dead_letters)("projects/p/topics/top", 5)
    world.subscription(dead_letter=own)
    world.publish("a")

    assert fail(world, 6) == [[1], [2], [3], [4], [5], [1]]


def test_attempts_go_on_when_a_policy_is_added(world, dead_letters):
    world.subscription()
    world.publish("a")
    assert fail(world, 2) == [[None], [None]]

    wanted = Subscription(SUB, "", dead_letter=dead_letters)
    world.broker.update_subscription(wanted, ["dead_letter_policy"])

    assert fail(world, 3) == [[3], [4], [5]]
    assert world.texts("graves") == ["a"]
