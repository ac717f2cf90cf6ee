"""Subscriptions: made, changed, listed, detached, deleted. Must not know how pulls are answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from emulator.embedded.pubsub import filters, limits, masks, names, records
from emulator.embedded.pubsub.backlog import Backlog, Bury
from emulator.embedded.pubsub.holdings import HeldSubscription, Holdings, in_project
from emulator.embedded.pubsub.model import DeadLetterPolicy, Push, Subscription


class Subscriptions:
    """The subscriptions of one broker; `bury` publishes a dead letter where it can."""

    def __init__(self, holdings: Holdings, bury: Bury) -> None:
        self._holdings = holdings
        self._bury = bury

    def create(self, subscription: Subscription) -> Subscription:
        kept = limits.checked_subscription(replace(subscription, detached=False))
        if kept.name in self._holdings.subscriptions:
            raise names.taken(kept.name)
        topic = self._holdings.topic(kept.topic)
        self._check_exists(kept.dead_letter)
        held = self.hold(kept, topic.uid)
        put_subscription(self._holdings, held)
        return kept

    def hold(self, settings: Subscription, origin: int) -> HeldSubscription:
        """Takes the subscription in as it is, attached to its topic if that is still there."""
        holdings, name = self._holdings, settings.name

        def ready() -> None:
            holdings.ready[name] = None

        backlog = Backlog(settings, holdings.ledger, ready, self._bury)
        matches = filters.parse(settings.filter)
        held = HeldSubscription(settings, origin, matches, backlog, holdings.clock())
        holdings.subscriptions[name] = held
        topic = holdings.topic_of_origin(settings.topic, origin)
        if topic is not None and not settings.detached:
            topic.subscriptions[name] = held
        return held

    def get(self, name: str) -> Subscription:
        return self._holdings.subscription(name).settings

    def update(self, wanted: Subscription, paths: Sequence[str]) -> Subscription:
        held = self._holdings.subscription(wanted.name)
        changed = masks.masked(masks.SUBSCRIPTION, held.settings, wanted, paths)
        settings = limits.checked_subscription(changed)
        if "dead_letter_policy" in paths:
            self._check_exists(settings.dead_letter)
        return self._reconfigure(held, settings)

    def modify_push(self, name: str, push: Push | None) -> None:
        held = self._holdings.subscription(name)
        self._reconfigure(held, limits.checked_subscription(replace(held.settings, push=push)))

    def all_of(self, project: str) -> list[Subscription]:
        return [held.settings for held in in_project(self._holdings.subscriptions, project)]

    def delete(self, name: str) -> None:
        held = self._holdings.subscription(name)
        self._let_go(held)
        del self._holdings.subscriptions[name]
        self._holdings.ledger.delete(records.SUBSCRIPTIONS, name)

    def detach(self, name: str) -> None:
        """It stays, with nothing in it and nothing to come; a second time changes nothing."""
        held = self._holdings.subscription(name)
        self._let_go(held)
        self._reconfigure(held, replace(held.settings, detached=True))

    def advance(self, held: HeldSubscription, now: int) -> None:
        """Lets happen what was to; deletes it if it was not used for as long as it may be."""
        held.backlog.advance(now)
        expires_at = held.expires_at
        if expires_at is not None and expires_at <= now:
            self.delete(held.settings.name)

    def _reconfigure(self, held: HeldSubscription, settings: Subscription) -> Subscription:
        held.settings = settings
        held.active_at = self._holdings.clock()
        held.backlog.reconfigure(settings)
        held.backlog.advance(held.active_at)
        put_subscription(self._holdings, held)
        if held.backlog.deliverable:  # to pull now, or to push
            self._holdings.ready[settings.name] = None
        return settings

    def _let_go(self, held: HeldSubscription) -> None:
        held.backlog.empty()
        name = held.settings.name
        self._holdings.ready.pop(name, None)
        topic = self._holdings.topic_of_origin(held.settings.topic, held.origin)
        if topic is not None:
            topic.subscriptions.pop(name, None)

    def _check_exists(self, policy: DeadLetterPolicy | None) -> None:
        if policy is not None:
            self._holdings.topic(policy.topic)


def put_subscription(holdings: Holdings, held: HeldSubscription) -> None:
    """Tells the journal."""
    record = records.SubscriptionRecord(held.settings, held.origin)
    holdings.ledger.put(records.SUBSCRIPTIONS, held.settings.name, record)
