"""Laws of the Pub/Sub broker, under any mixture of publishing, failing, seeking and restarting.

A model keeps what each subscription must still deliver, and checks every delivery against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulator.embedded.pubsub.broker import Broker
from emulator.embedded.pubsub.model import (
    SECOND,
    DeadLetterPolicy,
    Delivery,
    Message,
    RetryPolicy,
    Subscription,
    Topic,
)

TOP, DEAD = "projects/p/topics/top", "projects/p/topics/dead"
ORDERED, PLAIN, GRAVES = (f"projects/p/subscriptions/{name}" for name in ("one", "two", "graves"))
MAX_ATTEMPTS = 5
CONFIGURED = [
    Subscription(
        ORDERED,
        TOP,
        ordered=True,
        dead_letter=DeadLetterPolicy(DEAD, MAX_ATTEMPTS),
        retry=RetryPolicy(SECOND, 20 * SECOND),
    ),
    Subscription(PLAIN, TOP, ack_deadline=30 * SECOND, dead_letter=DeadLetterPolicy(DEAD, 7)),
    Subscription(GRAVES, DEAD),
]
LIMITS = {ORDERED: MAX_ATTEMPTS, PLAIN: 7, GRAVES: None}


class Records:
    """Implements `Journal` in dictionaries."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {}

    def put(self, table: str, key: str, record: Any) -> None:
        self.tables.setdefault(table, {})[key] = record

    def delete(self, table: str, key: str) -> None:
        del self.tables[table][key]

    def records(self, table: str) -> Iterator[tuple[str, Any]]:
        return iter(tuple(self.tables.get(table, {}).items()))

    def flush(self) -> None: ...


@dataclass
class Expected:
    """What the model knows of one subscription, by the text of a message."""

    pending: list[str] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)
    saved: dict[str, int] = field(default_factory=dict)  # attempts that a restart does not undo
    leases: dict[str, Delivery] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)  # ack ids


class BrokerLaws(RuleBasedStateMachine):
    """Texts are numbered, so the order of publishing is that of the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_700_000_000 * SECOND
        self.journal = Records()
        self.broker = self.started()
        for topic in (TOP, DEAD):
            self.broker.create_topic(Topic(topic))
        for subscription in CONFIGURED:
            self.broker.create_subscription(subscription)
        self.expected = {subscription.name: Expected() for subscription in CONFIGURED}
        self.keys: dict[str, str] = {}
        self.times: dict[str, int] = {}

    def started(self) -> Broker:
        return Broker(lambda: self.now, Random(0), self.journal)

    @rule(keys=st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=4))
    def publish(self, keys):
        texts = [f"{len(self.keys) + number:04}" for number in range(len(keys))]
        messages = [
            Message("", text.encode(), {}, 0, key) for text, key in zip(texts, keys, strict=True)
        ]
        self.broker.publish(TOP, messages)
        self.keys |= dict(zip(texts, keys, strict=True))
        self.times |= dict.fromkeys(texts, self.now)
        for name in (ORDERED, PLAIN):
            self.expected[name].pending += texts

    @rule(name=st.sampled_from([ORDERED, PLAIN, GRAVES]), limit=st.integers(1, 5))
    def pull(self, name, limit):
        self.take(name, self.broker.pull(name, limit))

    def take(self, name: str, deliveries: list[Delivery]) -> None:
        """Every law about a delivery."""
        expected = self.expected[name]
        for delivery in deliveries:
            text = delivery.message.data.decode()
            assert text in expected.pending
            leased = {lease.message.id for lease in expected.leases.values()}
            assert delivery.message.id not in leased
            assert delivery.ack_id not in (*expected.leases, *expected.ended)
            expected.attempts[text] = expected.attempts.get(text, 0) + 1
            if name != GRAVES:
                assert delivery.attempt == expected.attempts[text]
            if name == ORDERED and (key := self.keys[text]):
                assert text == min(one for one in expected.pending if self.keys[one] == key)
            expected.leases[delivery.ack_id] = delivery

    @precondition(lambda self: any(one.leases for one in self.expected.values()))
    @rule(data=st.data(), how=st.sampled_from(["ack", "nack", "nack", "extend"]))
    def settle(self, data, how):
        choices = [(name, ack_id) for name, one in self.expected.items() for ack_id in one.leases]
        name, ack_id = data.draw(st.sampled_from(choices))
        if how == "ack":
            result = self.broker.acknowledge(name, [ack_id])
            self.end(name, ack_id)
        elif how == "nack":
            result = self.broker.modify_deadline(name, [ack_id], 0)
            self.fail(name, ack_id)
        else:
            result = self.broker.modify_deadline(name, [ack_id], 40 * SECOND)
            lease = self.expected[name].leases[ack_id]
            longer = Delivery(ack_id, lease.message, lease.attempt, self.now + 40 * SECOND)
            self.expected[name].leases[ack_id] = longer
        assert result.done == (ack_id,)

    def end(self, name: str, ack_id: str) -> str:
        """The message is done with."""
        expected = self.expected[name]
        text = expected.leases.pop(ack_id).message.data.decode()
        expected.ended.append(ack_id)
        expected.pending.remove(text)
        return text

    def fail(self, name: str, ack_id: str) -> None:
        expected = self.expected[name]
        text = self.end(name, ack_id)
        expected.saved[text] = expected.attempts[text]
        limit = LIMITS[name]
        if limit is not None and expected.attempts[text] >= limit:
            self.expected[GRAVES].pending.append(text)
        else:
            expected.pending.append(text)

    @rule(name=st.sampled_from([ORDERED, PLAIN]), data=st.data())
    def settle_an_ended_lease(self, name, data):
        ended = data.draw(st.sampled_from([*self.expected[name].ended, "0-0"]))
        assert self.broker.acknowledge(name, [ended]).stale == (ended,)
        assert self.broker.modify_deadline(name, [ended], 0).stale == (ended,)

    @rule(seconds=st.sampled_from([0.5, 1, 5, 10, 31, 600]))
    def wait(self, seconds):
        self.now += int(seconds * SECOND)
        for name, expected in self.expected.items():
            for ack_id, lease in tuple(expected.leases.items()):
                if lease.deadline <= self.now:
                    self.fail(name, ack_id)
        self.broker.advance()

    @rule(name=st.sampled_from([ORDERED, PLAIN]), ago=st.sampled_from([-1, 0, 10, 100]))
    def seek(self, name, ago):
        at = self.now - ago * SECOND
        self.broker.seek_to_time(name, at)
        expected = self.expected[name]
        expected.ended += expected.leases
        expected.leases.clear()
        expected.pending = [text for text in expected.pending if self.times[text] >= at]

    @rule()
    def restart(self):
        self.broker = self.started()
        for expected in self.expected.values():
            expected.ended += expected.leases
            expected.leases.clear()
            expected.attempts = dict(expected.saved)
        self.broker.advance()

    @invariant()
    def nothing_stays_due(self):
        at = self.broker.next_event()
        assert at is None or at > self.now

    def teardown(self):
        """Nothing is lost and nothing else is kept: all that is pending can be had, and no more."""
        self.wait(600)
        for name in (ORDERED, PLAIN, GRAVES):
            while deliveries := self.broker.pull(name, 100):
                self.take(name, deliveries)
                for delivery in deliveries:
                    self.broker.acknowledge(name, [delivery.ack_id])
                    self.end(name, delivery.ack_id)
            assert self.expected[name].pending == []
        for table in ("pubsub_messages", "pubsub_waiting"):
            assert not self.journal.tables.get(table)


TestBrokerLaws = BrokerLaws.TestCase
TestBrokerLaws.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
