"""Ordering keys: one message of a key at a time, in the order of publishing, whatever fails."""

from __future__ import annotations

from emulator.embedded.pubsub.model import SECOND, RetryPolicy


def test_the_later_of_a_key_wait_until_the_earlier_is_acknowledged(world):
    world.subscription(ordered=True)
    world.publish("a1", "a2", key="a")
    world.publish("b1", key="b")
    world.publish("free", "free")

    first = world.pull()
    assert [one.message.data for one in first] == [b"a1", b"b1", b"free", b"free"]
    assert world.texts() == []
    world.ack(first[0])
    assert world.texts() == ["a2"]


def test_without_message_ordering_keys_mean_nothing(world):
    world.subscription()
    world.publish("a1", "a2", key="a")

    assert world.texts() == ["a1", "a2"]


def test_a_refused_head_comes_again_before_the_later(world):
    world.subscription(ordered=True)
    world.publish("1", "2", key="a")
    world.nack(*world.pull())

    assert world.drain() == ["1", "2"]


def test_an_expired_head_comes_again_before_the_later(world):
    world.subscription(ordered=True, retry=RetryPolicy(SECOND, SECOND))
    world.publish("1", "2", key="a")
    world.pull()
    world.wait(10)
    assert world.drain() == []
    world.wait(1)

    assert world.drain() == ["1", "2"]


def test_one_key_does_not_hold_up_another(world):
    world.subscription(ordered=True)
    world.publish("a1", "a2", key="a")
    world.pull()
    world.publish("b1", "b2", key="b")

    assert world.drain() == ["b1", "b2"]


def test_a_head_that_falls_out_of_retention_lets_the_next_go_on(world):
    world.subscription(ordered=True, retention=600 * SECOND)
    world.publish("old", key="a")
    world.wait(300)
    world.publish("new", key="a")
    world.pull(ack_deadline=600 * SECOND)

    world.wait(300)

    assert world.drain() == ["new"]


def test_listeners_are_told_of_the_next_when_the_head_is_acknowledged(world):
    world.subscription(ordered=True)
    world.publish("1", "2", key="a")
    (head,) = world.pull()
    world.told.clear()

    world.ack(head)

    assert world.told == ["projects/p/subscriptions/sub"]
