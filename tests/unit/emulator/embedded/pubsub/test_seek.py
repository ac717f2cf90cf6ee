"""Seeking to a time, and what retention leaves to be sought."""

from __future__ import annotations

import pytest

from emulator.embedded.pubsub.model import SECOND, DeadLetterPolicy, Subscription, Topic

SUB = "projects/p/subscriptions/sub"
TOP = "projects/p/topics/top"
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def seek(world, at, name=SUB):
    world.broker.seek_to_time(name, at)


def publish_apart(world, *texts):
    """One a second; the time of each."""
    times = []
    for text in texts:
        world.wait(1)
        world.publish(text)
        times.append(world.now)
    return times


def test_a_seek_to_the_future_acknowledges_everything(world):
    world.subscription()
    world.publish("a", "b")
    (leased,) = world.pull(limit=1)

    seek(world, world.now + HOUR)

    assert world.texts() == []
    assert world.ack(leased) == (leased.ack_id,)
    world.wait(100)
    assert world.texts() == []
    world.publish("new")
    assert world.texts() == ["new"]


def test_a_seek_acknowledges_what_is_earlier_and_keeps_the_rest(world):
    world.subscription()
    _, second, _ = publish_apart(world, "a", "b", "c")

    seek(world, second)

    assert world.texts() == ["b", "c"]


def test_a_seek_into_the_past_brings_back_nothing_that_was_not_retained(world):
    world.subscription()
    first, _ = publish_apart(world, "a", "b")
    world.ack(world.pull()[0])

    seek(world, first)

    assert world.texts() == ["b"]


def test_a_seek_into_the_past_replays_retained_acknowledged_messages_in_order(world):
    world.subscription(retain_acked=True)
    _, second, _ = publish_apart(world, "a", "b", "c")
    assert world.drain() == ["a", "b", "c"]
    world.told.clear()

    seek(world, second)

    assert world.told == [SUB]
    assert world.drain() == ["b", "c"]


def test_what_a_seek_acknowledged_can_be_replayed_too(world):
    world.subscription(retain_acked=True)
    first, _ = publish_apart(world, "a", "b")
    seek(world, world.now + HOUR)

    seek(world, first)

    assert world.drain() == ["a", "b"]


def test_a_topics_retention_serves_any_subscription_of_it(world):
    world.topic("kept", retention=HOUR)
    world.publish("before", to="kept")
    start = world.now
    world.subscription(of="kept", filter="NOT attributes:skip")
    world.publish("after", to="kept")
    world.publish("skipped", to="kept", skip="")
    assert world.drain() == ["after"]

    seek(world, start)

    assert world.drain() == ["before", "after"]


def test_a_topic_retains_no_longer_than_its_period(world):
    world.topic("kept", retention=HOUR)
    world.subscription(of="kept")
    start = world.now
    world.publish("old", to="kept")
    world.wait(3000)
    world.publish("new", to="kept")
    world.drain()

    world.wait(600)
    seek(world, start)

    assert world.drain() == ["new"]


def test_what_a_topic_gives_back_is_retained_anew(world):
    world.topic("kept", retention=2 * DAY)
    world.subscription(of="kept", retention=600 * SECOND)
    start = world.now
    world.publish("a", to="kept")
    world.drain()
    world.wait(3600)

    seek(world, start)
    world.wait(599)

    assert world.texts() == ["a"]


def test_a_topic_that_stops_retaining_forgets(world):
    world.topic("kept", retention=HOUR)
    world.subscription(of="kept")
    world.publish("a", to="kept")
    world.drain()

    world.broker.update_topic(Topic("projects/p/topics/kept"), ["message_retention_duration"])

    assert not world.journal.tables["pubsub_messages"]
    seek(world, world.now)
    assert world.texts() == []


def test_every_lease_ends_with_a_seek(world):
    world.subscription()
    world.publish("a")
    (old,) = world.pull()

    seek(world, world.now)

    (new,) = world.pull()
    assert world.ack(old) == (old.ack_id,)
    assert world.ack(new) == ()


def test_attempts_start_again_for_what_was_acknowledged_and_go_on_for_the_rest(world):
    world.topic("dead")
    world.subscription(dead_letter=DeadLetterPolicy("projects/p/topics/dead"), retain_acked=True)
    world.publish("acked", "refused")
    acked, refused = world.pull()
    world.ack(acked)
    world.nack(refused)

    seek(world, world.now)

    assert [one.attempt for one in world.pull()] == [1, 2]


def test_keys_are_in_order_after_a_seek(world):
    world.subscription(ordered=True, retain_acked=True)
    world.publish("1", "2", "3", key="k")
    for _ in range(2):
        world.ack(*world.pull())
    world.pull()

    seek(world, world.now)

    assert world.drain() == ["1", "2", "3"]


def test_unacknowledged_messages_fall_out_of_the_retention_window(world):
    world.subscription(retention=600 * SECOND)
    publish_apart(world, "a", "b")

    world.wait(599)
    assert world.waiting() == pytest.approx(0, abs=1)
    assert world.drain() == ["b"]


def test_acknowledged_messages_fall_out_of_the_retention_window(world):
    world.subscription(retain_acked=True, retention=600 * SECOND)
    publish_apart(world, "a", "b")
    world.drain()

    world.wait(599)
    seek(world, 0)

    assert world.drain() == ["b"]


def test_no_longer_retaining_acknowledged_messages_drops_them(world):
    world.subscription(retain_acked=True)
    world.publish("a", "b")
    world.ack(world.pull(limit=1)[0])

    world.broker.update_subscription(Subscription(SUB, TOP), ["retain_acked_messages"])
    seek(world, 0)

    assert world.drain() == ["b"]


def test_what_a_seek_brings_back_comes_before_what_was_published_later(world):
    world.topic("kept", retention=HOUR)
    world.subscription(of="kept", ordered=True)
    start = world.now
    world.publish("1", "2", "3", to="kept", key="k")
    for _ in range(2):
        world.ack(*world.pull())

    seek(world, start)

    assert world.drain() == ["1", "2", "3"]
