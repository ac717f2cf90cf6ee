"""What a broker finds in the journal of an earlier one."""

from __future__ import annotations

from random import Random

from emulator.embedded.pubsub.broker import Broker
from emulator.embedded.pubsub.model import DELETED_TOPIC, SECOND, RetryPolicy

SUB = "projects/p/subscriptions/sub"
TOP = "projects/p/topics/top"
SNAP = "projects/p/snapshots/snap"
HOUR = 3600 * SECOND


def test_configuration_survives(world, dead_letters):
    made = world.subscription(dead_letter=dead_letters, filter="attributes:x", labels={"a": "b"})
    kept = world.topic("kept", retention=HOUR)

    world.restart()

    assert world.broker.get_subscription(SUB) == made
    assert world.broker.get_topic(kept.name) == kept
    assert world.broker.topic_subscriptions(TOP) == [SUB]
    world.publish("no")
    world.publish("yes", x="")
    assert world.texts() == ["yes"]


def test_messages_survive_and_leases_do_not(world):
    world.subscription()
    world.subscription("second")
    world.publish("acked", "leased", "waiting", kind="x")
    acked, leased = world.pull(limit=2)
    world.ack(acked)

    world.restart()

    first, second = world.pull()
    assert first.message == leased.message
    assert second.message.data == b"waiting"
    assert len({leased.ack_id, first.ack_id, second.ack_id}) == 3
    assert world.ack(leased) == (leased.ack_id,)
    assert world.drain("second") == ["acked", "leased", "waiting"]


def test_attempts_and_back_offs_survive(world, dead_letters):
    retry = RetryPolicy(60 * SECOND, 60 * SECOND)
    world.subscription(dead_letter=dead_letters, retry=retry)
    world.publish("a")
    world.nack(*world.pull())

    world.restart()
    assert world.pull() == []
    assert world.waiting() == 60
    world.wait(60)

    assert [one.attempt for one in world.pull()] == [2]


def test_the_order_of_keys_survives(world):
    world.subscription(ordered=True, retry=RetryPolicy(60 * SECOND, 60 * SECOND))
    world.publish("1", "2", "3", key="k")
    world.ack(*world.pull())
    world.nack(*world.pull())

    world.restart()
    assert world.drain() == []
    world.wait(60)

    assert world.drain() == ["2", "3"]


def test_retained_messages_can_be_sought_after_a_restart(world):
    world.subscription(retain_acked=True)
    world.topic("kept", retention=HOUR)
    world.subscription("other", of="kept")
    world.publish("a")
    world.publish("b", to="kept")
    world.drain()
    world.drain("other")

    world.restart()
    assert world.drain() == []
    for name in (SUB, "projects/p/subscriptions/other"):
        world.broker.seek_to_time(name, world.now)

    assert world.drain() == ["a"]
    assert world.drain("other") == ["b"]


def test_snapshots_survive(world):
    world.subscription()
    world.publish("before")
    made = world.broker.create_snapshot(SNAP, SUB, {"a": "b"})
    world.publish("after")
    world.drain()

    world.restart()
    assert world.broker.get_snapshot(SNAP) == made
    assert world.broker.topic_snapshots(TOP) == [SNAP]
    world.publish("later")
    world.drain()
    world.broker.seek_to_snapshot(SUB, SNAP)

    assert world.drain() == ["before", "after", "later"]
    world.broker.delete_snapshot(SNAP)
    assert not world.journal.tables["pubsub_messages"]


def test_a_deleted_topic_stays_deleted_and_another_another(world):
    world.subscription()
    world.publish("before")
    world.broker.create_snapshot(SNAP, SUB, {})
    world.publish("after")
    world.drain()
    world.broker.delete_topic(TOP)
    world.topic()

    world.restart()
    world.publish("of another")

    assert world.broker.get_subscription(SUB).topic == DELETED_TOPIC
    world.broker.seek_to_snapshot(SUB, SNAP)
    assert world.drain() == ["before", "after"]


def test_what_a_topic_no_longer_retains_does_not_come_back_to_it(world):
    world.topic("kept", retention=600 * SECOND)
    world.subscription(of="kept")
    world.publish("a", to="kept")
    world.wait(600)

    world.restart()
    world.subscription("second", of="kept")
    world.broker.seek_to_time("projects/p/subscriptions/second", 0)

    assert world.drain("second") == []
    assert world.drain() == ["a"]


def test_a_detached_subscription_stays_detached(world):
    world.subscription()
    world.broker.detach_subscription(SUB)

    world.restart()
    world.publish("a")

    assert world.broker.get_subscription(SUB).detached
    assert world.broker.topic_subscriptions(TOP) == []


def test_no_id_is_given_out_twice_however_often_it_restarts(world):
    ids = []
    for _ in range(5):
        ids += world.publish("a", "b")
        world.restart()

    assert ids == sorted(set(ids))


def test_ids_stay_unique_when_the_counters_were_lost(world):
    world.subscription()
    (first,) = world.publish("a")
    del world.journal.tables["pubsub_counters"]
    world.restart()

    (second,) = world.publish("b")

    assert first < second


def test_restarting_twice_changes_nothing_more(world):
    world.subscription(retain_acked=True)
    world.publish("a", "b")
    world.ack(*world.pull(limit=1))
    world.restart()
    tables = {name: dict(table) for name, table in world.journal.tables.items()}

    world.restart()

    del tables["pubsub_counters"], world.journal.tables["pubsub_counters"]
    assert world.journal.tables == tables


def test_the_same_calls_give_the_same_ids_with_and_without_a_journal(world):
    world.subscription()
    with_journal = world.publish("a", "b"), [one.ack_id for one in world.pull()]
    world.broker = Broker(lambda: world.now, Random(1))
    world.topic()
    world.subscription()

    assert (world.publish("a", "b"), [one.ack_id for one in world.pull()]) == with_journal
