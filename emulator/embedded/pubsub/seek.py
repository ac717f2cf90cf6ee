"""What is unacknowledged after a seek. Must not know how a subscription keeps it.

https://cloud.google.com/pubsub/docs/replay-overview
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from emulator.embedded.pubsub.holdings import HeldSnapshot, HeldSubscription, HeldTopic
from emulator.embedded.pubsub.model import Message
from emulator.embedded.refusal import Refusal, Status


def since(held: HeldSubscription, topic: HeldTopic | None, at: int) -> dict[int, Message]:
    """All that was published at `at` or later and that the subscription or its topic retains."""
    logged = topic.log.published_since(at) if topic is not None else ()
    kept = (message for message in held.backlog.retained() if message.published_at >= at)
    return _by_sequence(_matching(held, chain(kept, logged)))


def as_of(
    held: HeldSubscription, topic: HeldTopic | None, snapshot: HeldSnapshot
) -> dict[int, Message]:
    """What was unacknowledged when the snapshot was taken, and all its topic got thereafter.

    Refuses a snapshot of another topic; one deleted and made again is another.
    """
    if snapshot.origin != held.origin:
        raise Refusal(
            Status.FAILED_PRECONDITION,
            f"The subscription's topic {held.settings.topic} is different from that of the "
            f"snapshot {snapshot.snapshot.topic}; they must match in order for Seek to work. Note "
            "that if a topic is deleted and then re-created with the same name, it is considered "
            "a distinct topic for these purposes.",
        )
    logged = topic.log.published_after(snapshot.after) if topic is not None else ()
    return _by_sequence(_matching(held, chain(snapshot.pending.values(), logged)))


def _matching(held: HeldSubscription, messages: Iterable[Message]) -> Iterator[Message]:
    matches = held.matches
    return (m for m in messages if matches is None or matches(m.attributes))


def _by_sequence(messages: Iterable[Message]) -> dict[int, Message]:
    return {message.sequence: message for message in messages}
