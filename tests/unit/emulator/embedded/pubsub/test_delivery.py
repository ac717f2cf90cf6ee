"""Publishing, pulling, acknowledging, refusing and leases."""

from __future__ import annotations

import pytest

from emulator.embedded.pubsub.model import SECOND, Message, Push, RetryPolicy
from emulator.embedded.refusal import Refusal, Status

SUB = "projects/p/subscriptions/sub"


def test_every_subscription_gets_every_message_published_after_it_was_made(world):
    world.publish("before")
    world.subscription("one")
    world.subscription("two")
    ids = world.publish("a", "b", kind="x")

    first, second = world.pull("one")

    assert [first.message.id, second.message.id] == ids
    assert (first.message.data, first.message.attributes) == (b"a", {"kind": "x"})
    assert (first.message.published_at, first.deadline) == (world.now, world.now + 10 * SECOND)
    assert first.attempt is None
    assert world.texts("two") == ["a", "b"]


def test_ids_are_given_by_the_broker_and_never_twice(world):
    given = Message("mine", b"x", {}, 1, sequence=7)

    ids = world.broker.publish("projects/p/topics/top", [given] * 3)

    assert ids == sorted(set(ids))
    assert all(len(one) == 16 and one.isdigit() for one in ids)


def test_publishing_to_no_topic_is_refused_before_anything_is_checked(world):
    with pytest.raises(Refusal, match=r"Resource not found \(resource=nope\)\.") as refused:
        world.publish(to="nope")

    assert refused.value.status is Status.NOT_FOUND


def test_a_refused_publish_publishes_nothing(world):
    world.subscription()
    with pytest.raises(Refusal):
        world.publish("good", "")

    assert world.texts() == []


def test_what_is_leased_is_not_delivered_again_until_its_deadline(world):
    world.subscription(ack_deadline=20 * SECOND)
    world.publish("a")
    world.pull()

    world.wait(19.9)
    assert world.texts() == []
    assert world.waiting() == pytest.approx(0.1)
    world.wait(0.1)
    assert world.texts() == ["a"]


def test_a_pull_may_choose_its_own_deadline(world):
    world.subscription()
    world.publish("a")
    world.pull(ack_deadline=60 * SECOND)

    world.wait(59)
    assert world.texts() == []
    world.wait(1)
    assert world.texts() == ["a"]


def test_what_is_acknowledged_never_comes_again(world):
    world.subscription()
    world.publish("a", "b")
    kept, acked = world.pull()
    assert world.ack(acked) == ()

    world.wait(10)

    assert [delivery.message for delivery in world.pull()] == [kept.message]


def test_a_refused_message_comes_again_at_once_without_a_retry_policy(world):
    world.subscription()
    world.publish("a")
    (first,) = world.pull()
    assert world.nack(first) == ()

    (second,) = world.pull()

    assert second.message == first.message
    assert second.ack_id != first.ack_id


def test_a_deadline_can_be_moved_either_way(world):
    world.subscription()
    world.publish("longer", "shorter")
    longer, shorter = world.pull()
    world.broker.modify_deadline(SUB, [longer.ack_id], 600 * SECOND)
    world.broker.modify_deadline(SUB, [shorter.ack_id], SECOND)

    world.wait(1)
    assert world.texts() == ["shorter"]
    world.wait(599)
    assert sorted(world.texts()) == ["longer", "shorter"]


@pytest.mark.parametrize("end", ["expired", "refused", "acknowledged"])
def test_an_ended_lease_leaves_a_stale_id_that_changes_nothing(world, end):
    world.subscription()
    world.publish("a")
    (old,) = world.pull()
    {"expired": lambda: world.wait(10), "refused": lambda: world.nack(old)}.get(
        end, lambda: world.ack(old)
    )()
    again = world.pull()

    assert world.ack(old) == (old.ack_id,)
    assert world.nack(old) == (old.ack_id,)
    assert world.broker.modify_deadline(SUB, [old.ack_id], SECOND).stale == (old.ack_id,)
    assert world.ack(*again) == ()


def test_ids_are_told_apart_in_one_call(world):
    world.subscription()
    world.publish("a", "b")
    first, second = world.pull()
    ids = [first.ack_id, "0-1", second.ack_id, first.ack_id]

    result = world.broker.acknowledge(SUB, ids)

    assert result.done == (first.ack_id, second.ack_id)
    assert result.stale == ("0-1", first.ack_id)


@pytest.mark.parametrize("malformed", ["garbage", "", "1-", "1-2-3"])
def test_a_malformed_id_is_refused_and_nothing_happens(world, malformed):
    world.subscription()
    world.publish("a")
    ids = [delivery.ack_id for delivery in world.pull()] + [malformed]

    for call in (
        lambda: world.broker.acknowledge(SUB, ids),
        lambda: world.broker.modify_deadline(SUB, ids, 0),
    ):
        with pytest.raises(Refusal) as refused:
            call()
        assert refused.value.status is Status.INVALID_ARGUMENT
        assert refused.value.message == f"Invalid ack id (ack_id={malformed})."
    assert world.texts() == []
    world.wait(10)
    assert world.texts() == ["a"]


def test_with_exactly_once_delivery_a_malformed_id_is_told_with_the_stale_ones(world):
    world.subscription(exactly_once=True)

    assert world.broker.acknowledge(SUB, ["garbage"]).stale == ("garbage",)


def test_a_pull_brings_its_own_subscription_up_to_date(world):
    world.subscription()
    world.publish("a")
    world.pull()
    world.now += 10 * SECOND  # and nobody calls advance

    assert world.texts() == ["a"]


def test_a_pull_is_bounded_by_messages_and_bytes(world):
    world.subscription()
    world.publish("a" * 60, "b" * 60, "c" * 10)

    assert len(world.pull(limit=1, max_bytes=10)) == 1  # at least one, whatever its size
    assert len(world.pull(max_bytes=69)) == 1
    assert len(world.pull(max_bytes=70)) == 1
    with pytest.raises(Refusal):
        world.pull(limit=0)


def test_a_retry_policy_delays_after_refusals_and_expiries_alike(world):
    world.subscription(retry=RetryPolicy(2 * SECOND, 4 * SECOND))
    world.publish("a")

    waits = []
    for lost in (False, True, False, False):
        deliveries = world.pull()
        if lost:
            world.wait(10)
        else:
            world.nack(*deliveries)
        assert world.texts() == []
        waits.append(world.waiting())
        world.wait(waits[-1])

    assert waits == [2, 4, 4, 4]
    assert world.texts() == ["a"]


def test_a_back_off_runs_from_the_deadline_however_late_it_is_noticed(world):
    world.subscription(retry=RetryPolicy(2 * SECOND, 4 * SECOND))
    world.publish("a")
    world.pull()

    world.wait(12)

    assert world.texts() == ["a"]


def test_a_failing_push_backs_off_without_a_policy(world):
    world.subscription(push=Push("http://localhost/"))
    world.publish("a")

    waits = []
    for _ in range(3):
        world.nack(*world.pull())
        waits.append(world.waiting())
        world.wait(waits[-1])

    assert waits == [0.1, 0.2, 0.4]


def test_a_filter_acknowledges_what_does_not_match(world):
    world.subscription(filter='attributes.kind = "x"')
    world.publish("no")
    world.publish("yes", kind="x")

    assert world.drain() == ["yes"]


def test_listeners_are_told_once_per_call_and_may_call_back(world):
    world.subscription("one")
    world.subscription("two", filter="attributes:never")
    world.publish("a", "b")
    assert world.told == ["projects/p/subscriptions/one"]

    world.told.clear()
    deliveries = world.pull("one")
    assert world.told == []
    world.broker.on_available = lambda name: deliveries.extend(world.broker.pull(name, 10))
    world.nack(*deliveries, name="one")

    assert [one.message.data for one in deliveries] == [b"a", b"b", b"a", b"b"]


def test_listeners_are_told_what_time_has_made_deliverable(world):
    world.subscription(retry=RetryPolicy(SECOND, SECOND))
    world.publish("a")
    world.pull()
    world.told.clear()

    world.wait(10)
    assert world.told == []
    world.wait(1)
    assert world.told == [SUB]


def test_listeners_are_told_of_what_waits_when_a_lease_ends(world):
    # One whose flow control allowed no more than the lease has room again.
    world.subscription(retry=RetryPolicy(60 * SECOND, 60 * SECOND))
    world.publish("a", "b")
    world.pull(limit=1)
    world.told.clear()

    world.wait(10)

    assert world.told == [SUB]
    assert world.texts() == ["b"]


def test_whoever_pulls_is_not_told_of_what_it_gets(world):
    world.subscription()
    world.publish("a", "b")
    world.pull()
    world.told.clear()
    world.now += 10 * SECOND

    assert len(world.pull(limit=2)) == 2
    assert world.told == []


def test_acknowledged_messages_take_no_room(world):
    world.subscription()
    for _ in range(50):
        world.publish(*("x" for _ in range(100)))
        world.ack(*world.pull())

    backlog = world.broker._holdings.subscriptions[SUB].backlog
    assert not backlog._entries
    assert len(backlog._timers._heap) < 500
    assert not world.journal.tables["pubsub_messages"]
    assert not world.journal.tables["pubsub_waiting"]


def test_a_reset_leaves_nothing_and_reuses_no_id(world):
    world.subscription()
    (before,) = world.publish("a")
    (old,) = world.pull()
    world.broker.create_snapshot("projects/p/snapshots/snap", SUB, {})

    world.broker.reset()

    assert world.broker.list_topics("projects/p") == []
    assert world.broker.next_event() is None
    assert {name for name, table in world.journal.tables.items() if table} == {"pubsub_counters"}
    world.topic()
    world.subscription()
    (after,) = world.publish("b")
    assert after > before
    assert world.ack(old) == (old.ack_id,)
    assert world.drain() == ["b"]
