"""Messages on their way: published, pulled, acknowledged, given more time, buried, sought.

Must not know how topics and subscriptions are administered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emulator.embedded.pubsub import limits, seek
from emulator.embedded.pubsub.dead_letters import dead_letter
from emulator.embedded.pubsub.holdings import HeldSnapshot, HeldSubscription, HeldTopic, Holdings
from emulator.embedded.pubsub.model import AckResult, Delivery, Message, Subscription
from emulator.embedded.pubsub.publish_limits import check_publish
from emulator.embedded.refusal import Refusal, Status

_FIRST_ID = 10**15  # ids of production have 16 digits


class Exchange:
    """Moves the messages of one broker."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings

    def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
        held = self._holdings.topic(topic)
        check_publish(messages)
        return self._publish(held, messages)

    def bury(self, source: Subscription, message: Message, attempts: int) -> bool:
        """Publishes a dead letter; False where its topic is gone, or the source has none."""
        policy = source.dead_letter
        topic = self._holdings.topics.get(policy.topic) if policy is not None else None
        if topic is None:
            return False
        self._publish(topic, [dead_letter(source, message, attempts)])
        return True

    def lease(
        self, name: str, limit: int, max_bytes: int | None, ack_deadline: int | None
    ) -> list[Delivery]:
        held = self.attached(name)
        limits.check_limit(limit)
        now = self._used(held)
        held.backlog.advance(now)
        span = held.settings.ack_deadline if ack_deadline is None else ack_deadline
        leased = held.backlog.lease(limit, max_bytes, now + span, self._holdings.ack_ids)
        if not held.backlog.deliverable:
            self._holdings.ready.pop(name, None)  # whoever pulls has all there was
        return leased

    def acknowledge(self, name: str, ack_ids: Sequence[str]) -> AckResult:
        held = self._holdings.subscription(name)
        _check_ack_ids(held, ack_ids)
        held.backlog.advance(self._used(held))
        return _each(ack_ids, held.backlog.acknowledge)

    def modify_deadline(self, name: str, ack_ids: Sequence[str], microseconds: int) -> AckResult:
        held = self._holdings.subscription(name)
        limits.check_extension(microseconds)
        _check_ack_ids(held, ack_ids)
        now = self._used(held)
        held.backlog.advance(now)
        if microseconds == 0:
            return _each(ack_ids, lambda ack_id: held.backlog.refuse(ack_id, now))
        return _each(ack_ids, lambda ack_id: held.backlog.extend(ack_id, now + microseconds))

    def seek_to_time(self, name: str, at: int) -> None:
        held = self.attached(name)
        now = self._used(held)
        held.backlog.replace(seek.since(held, self._topic_of(held), at), now)

    def seek_to_snapshot(self, name: str, snapshot: HeldSnapshot) -> None:
        held = self.attached(name)
        now = self._used(held)
        held.backlog.replace(seek.as_of(held, self._topic_of(held), snapshot), now)

    def attached(self, name: str) -> HeldSubscription:
        """The subscription; refuses one that is detached."""
        held = self._holdings.subscription(name)
        if held.settings.detached:
            raise Refusal(Status.FAILED_PRECONDITION, "Subscription is detached.")
        return held

    def _publish(self, topic: HeldTopic, given: Sequence[Message]) -> list[str]:
        now = self._holdings.clock()
        first = self._holdings.take_numbers(len(given))
        messages = [
            Message(
                str(_FIRST_ID + number), one.data, one.attributes, now, one.ordering_key, number
            )
            for number, one in enumerate(given, first)
        ]
        if topic.log.retains:
            topic.log.add(messages)
        for held in topic.subscriptions.values():
            matches = held.matches
            held.backlog.add(
                messages if matches is None else [m for m in messages if matches(m.attributes)]
            )
        return [message.id for message in messages]

    def _topic_of(self, held: HeldSubscription) -> HeldTopic | None:
        return self._holdings.topic_of_origin(held.settings.topic, held.origin)

    def _used(self, held: HeldSubscription) -> int:
        """Now; the subscription does not expire for another while."""
        held.active_at = now = self._holdings.clock()
        return now


def _check_ack_ids(held: HeldSubscription, ack_ids: Sequence[str]) -> None:
    # With exactly-once delivery, what is malformed is named together with what is stale.
    if not held.settings.exactly_once:
        limits.check_ack_ids(ack_ids)


def _each(ack_ids: Sequence[str], settle: Callable[[str], bool]) -> AckResult:
    done: list[str] = []
    stale: list[str] = []
    for ack_id in ack_ids:
        (done if settle(ack_id) else stale).append(ack_id)
    return AckResult(tuple(done), tuple(stale))
