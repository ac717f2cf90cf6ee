"""Snapshots: taken, changed, listed, deleted, expired. Must not know how one is sought.

https://cloud.google.com/pubsub/docs/replay-overview
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emulator.embedded.pubsub import limits, masks, names, records
from emulator.embedded.pubsub.holdings import HeldSnapshot, HeldSubscription, Holdings, in_project
from emulator.embedded.pubsub.model import Message, Snapshot
from emulator.embedded.refusal import Refusal, Status, invalid

LIFETIME = 7 * limits.DAY
_SHORTEST = 60 * limits.MINUTE


class Snapshots:
    """The snapshots of one broker."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings

    def create(self, name: str, source: HeldSubscription, labels: Mapping[str, str]) -> Snapshot:
        """The state of `source` now; one is named at random where `name` is empty."""
        holdings = self._holdings
        name = name or self._random_name(source.settings.name)
        names.check_snapshot(name)
        limits.check_labels(labels)
        if name in holdings.snapshots:
            raise names.taken(name)
        now = holdings.clock()
        pending = {message.sequence: message for message in source.backlog.unacked()}
        expires_at = _expiry(pending, now)
        made = Snapshot(name, source.settings.topic, expires_at, dict(labels))
        held = HeldSnapshot(made, source.origin, now, holdings.sequence, pending)
        for message in pending.values():
            holdings.ledger.hold(message)
        self.hold(held)
        put_snapshot(holdings, held)
        return made

    def hold(self, held: HeldSnapshot) -> None:
        """Takes the snapshot in as it is; its topic retains for it from now on."""
        self._holdings.snapshots[held.snapshot.name] = held
        topic = self._holdings.topic_of_origin(held.snapshot.topic, held.origin)
        if topic is not None:
            topic.snapshots[held.snapshot.name] = held
            topic.retain()

    def get(self, name: str) -> Snapshot:
        return self._holdings.snapshot(name).snapshot

    def update(self, wanted: Snapshot, paths: Sequence[str]) -> Snapshot:
        held = self._holdings.snapshot(wanted.name)
        changed = masks.masked(masks.SNAPSHOT, held.snapshot, wanted, paths)
        limits.check_labels(changed.labels)
        if not self._holdings.clock() < changed.expires_at <= held.created_at + LIFETIME:
            raise invalid("The expire_time must be in the future, at most 7 days after creation.")
        held.snapshot = changed
        put_snapshot(self._holdings, held)
        return changed

    def all_of(self, project: str) -> list[Snapshot]:
        return [held.snapshot for held in in_project(self._holdings.snapshots, project)]

    def delete(self, name: str) -> None:
        held = self._holdings.snapshot(name)
        del self._holdings.snapshots[name]
        self._holdings.ledger.delete(records.SNAPSHOTS, name)
        for message in held.pending.values():
            self._holdings.ledger.release(message)
        topic = self._holdings.topic_of_origin(held.snapshot.topic, held.origin)
        if topic is not None:
            del topic.snapshots[name]
            topic.retain()
            topic.log.advance(self._holdings.clock())

    def advance(self, now: int) -> None:
        """Deletes what has expired."""
        for held in tuple(self._holdings.snapshots.values()):
            if held.snapshot.expires_at <= now:
                self.delete(held.snapshot.name)

    def _random_name(self, subscription: str) -> str:
        number = self._holdings.random.getrandbits(64)
        return f"projects/{names.project_of(subscription)}/snapshots/snapshot-{number:016x}"


def put_snapshot(holdings: Holdings, held: HeldSnapshot) -> None:
    """Tells the journal."""
    record = records.SnapshotRecord(
        held.snapshot, held.origin, held.created_at, held.after, tuple(held.pending)
    )
    holdings.ledger.put(records.SNAPSHOTS, held.snapshot.name, record)


def _expiry(pending: Mapping[int, Message], now: int) -> int:
    """7 days less the age of the oldest unacknowledged message, and no less than an hour."""
    oldest = min((message.published_at for message in pending.values()), default=now)
    lifetime = LIFETIME - (now - oldest)
    if lifetime < _SHORTEST:
        raise Refusal(
            Status.FAILED_PRECONDITION,
            "The snapshot would expire in less than 1 hour: the oldest unacknowledged message in "
            "the subscription is too old.",
        )
    return now + lifetime
