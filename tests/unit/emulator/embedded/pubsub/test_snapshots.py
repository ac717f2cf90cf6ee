"""Snapshots: what they retain, for how long, and what a seek to one brings back."""

from __future__ import annotations

import pytest

from emulator.embedded.pubsub.model import DELETED_TOPIC, SECOND, Snapshot
from emulator.embedded.refusal import Refusal, Status

SUB = "projects/p/subscriptions/sub"
TOP = "projects/p/topics/top"
SNAP = "projects/p/snapshots/snap"
DAY = 86_400 * SECOND


def take(world, name=SNAP, of=SUB, **labels):
    return world.broker.create_snapshot(name, of, labels)


def test_a_snapshot_names_its_topic_and_lasts_seven_days(world):
    world.subscription()

    taken = take(world, kind="x")

    assert taken == Snapshot(SNAP, TOP, world.now + 7 * DAY, {"kind": "x"})
    assert world.broker.get_snapshot(SNAP) == taken
    assert world.broker.list_snapshots("projects/p") == [taken]
    assert world.broker.topic_snapshots(TOP) == [SNAP]


def test_a_snapshot_without_a_name_is_given_one(world):
    world.subscription()

    names = {take(world, "").name, take(world, "").name}

    assert len(names) == 2
    assert all(name.startswith("projects/p/snapshots/snapshot-") for name in names)


def test_a_seek_brings_back_what_was_unacknowledged_and_what_came_after(world):
    world.subscription()
    world.publish("acked", "pending")
    world.ack(world.pull(limit=1)[0])
    take(world)
    assert world.drain() == ["pending"]
    world.publish("later")
    assert world.drain() == ["later"]

    world.broker.seek_to_snapshot(SUB, SNAP)

    assert world.drain() == ["pending", "later"]


def test_a_seek_acknowledges_what_was_acknowledged_in_the_snapshot(world):
    world.subscription("one")
    world.subscription("two")
    world.publish("a", "b")
    world.ack(world.pull("one", limit=1)[0], name="one")
    take(world, of="projects/p/subscriptions/one")

    world.broker.seek_to_snapshot("projects/p/subscriptions/two", SNAP)

    assert world.drain("two") == ["b"]


def test_a_seek_respects_the_filter_of_who_seeks(world):
    world.subscription()
    world.subscription("picky", filter="attributes:kind")
    world.publish("plain")
    take(world)
    world.publish("kind", kind="x")
    world.drain("picky")

    world.broker.seek_to_snapshot("projects/p/subscriptions/picky", SNAP)

    assert world.drain("picky") == ["kind"]


def test_a_snapshot_of_another_topic_cannot_be_sought(world):
    world.subscription()
    take(world)
    world.topic("other")
    world.subscription("foreign", of="other")

    with pytest.raises(Refusal, match="they must match") as refused:
        world.broker.seek_to_snapshot("projects/p/subscriptions/foreign", SNAP)

    assert refused.value.status is Status.FAILED_PRECONDITION


def test_a_topic_made_again_is_another_topic(world):
    world.subscription()
    take(world)
    world.broker.delete_topic(TOP)
    world.topic()
    world.subscription("new")

    with pytest.raises(Refusal, match="considered a distinct topic"):
        world.broker.seek_to_snapshot("projects/p/subscriptions/new", SNAP)
    assert world.broker.topic_snapshots(TOP) == []


def test_a_snapshot_outlives_its_topic(world):
    world.subscription()
    world.publish("before")
    take(world)
    world.publish("after")
    world.drain()

    world.broker.delete_topic(TOP)
    world.broker.seek_to_snapshot(SUB, SNAP)

    assert world.broker.get_snapshot(SNAP).topic == DELETED_TOPIC
    assert world.drain() == ["before", "after"]


def test_a_snapshot_brings_back_what_the_subscription_no_longer_retains(world):
    world.subscription(retention=600 * SECOND)
    world.publish("a")
    take(world)
    world.wait(3600)
    assert world.texts() == []

    world.broker.seek_to_snapshot(SUB, SNAP)

    assert world.texts() == ["a"]


def test_the_age_of_the_backlog_shortens_a_snapshot(world):
    world.subscription(retention=7 * DAY)
    world.publish("a")
    world.wait(3 * 86_400)

    assert take(world).expires_at == world.now + 4 * DAY


def test_a_snapshot_that_would_last_less_than_an_hour_is_refused(world):
    world.subscription(retention=7 * DAY)
    world.publish("a")
    world.wait(7 * 86_400 - 3599)

    with pytest.raises(Refusal, match="less than 1 hour") as refused:
        take(world)

    assert refused.value.status is Status.FAILED_PRECONDITION


def test_an_expired_snapshot_is_gone_with_what_it_retained(world):
    world.subscription(expires_after=None)
    world.publish("a")
    take(world)
    world.drain()
    assert world.waiting() == 7 * 86_400

    world.wait(7 * 86_400)

    assert world.broker.list_snapshots("projects/p") == []
    assert world.broker.topic_snapshots(TOP) == []
    assert not world.journal.tables["pubsub_messages"]
    assert world.waiting() is None


def test_deleting_a_snapshot_lets_go_of_what_it_retained(world):
    world.subscription()
    take(world)
    take(world, SNAP + "-later")
    world.publish("a")
    world.drain()

    world.broker.delete_snapshot(SNAP)
    assert world.journal.tables["pubsub_messages"]
    world.broker.delete_snapshot(SNAP + "-later")
    assert not world.journal.tables["pubsub_messages"]
    with pytest.raises(Refusal, match="not found"):
        world.broker.get_snapshot(SNAP)


def test_labels_and_expiry_can_be_changed(world):
    world.subscription()
    take(world)
    wanted = Snapshot(SNAP, "", world.now + DAY, {"a": "b"})

    assert world.broker.update_snapshot(wanted, ["labels"]).expires_at == world.now + 7 * DAY
    updated = world.broker.update_snapshot(wanted, ["expire_time"])

    assert updated == Snapshot(SNAP, TOP, world.now + DAY, {"a": "b"})


@pytest.mark.parametrize(
    ("days", "paths"), [(0, ["expire_time"]), (8, ["expire_time"]), (1, ["topic"]), (1, [])]
)
def test_other_changes_are_refused(world, days, paths):
    world.subscription()
    take(world)
    with pytest.raises(Refusal):
        world.broker.update_snapshot(Snapshot(SNAP, TOP, world.now + days * DAY), paths)


def test_what_is_missing_or_taken_is_refused(world):
    world.subscription()
    take(world)
    for refused in (
        lambda: take(world),
        lambda: take(world, SNAP + "2", of="projects/p/subscriptions/nope"),
        lambda: take(world, "projects/p/topics/top"),
        lambda: take(world, SNAP + "2", Bad="label"),
        lambda: world.broker.delete_snapshot(SNAP + "2"),
        lambda: world.broker.seek_to_snapshot(SUB, SNAP + "2"),
    ):
        with pytest.raises(Refusal):
            refused()


def test_a_later_snapshot_does_not_retain_what_was_acknowledged_before_it(world):
    world.subscription()
    take(world)
    world.publish("a")
    world.drain()
    take(world, SNAP + "-later")

    world.broker.delete_snapshot(SNAP)

    assert not world.journal.tables["pubsub_messages"]


def test_a_topic_has_nothing_to_do_while_a_snapshot_retains(world):
    world.topic("kept", retention=600 * SECOND)
    world.subscription(of="kept", expires_after=None)
    take(world)
    world.publish("a", to="kept")
    world.drain()

    world.wait(600)

    assert world.waiting() == 7 * 86_400 - 600
