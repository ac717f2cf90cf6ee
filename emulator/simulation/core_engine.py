"""The engine of a simulation: broker and database cores, set up as the stage table plans it.

The same table, and so the same topics, policies and deadlines, as in a deployment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from random import Random

from emulator.embedded.firestore import model as firestore
from emulator.embedded.firestore.database import Database
from emulator.embedded.pubsub import model as pubsub
from emulator.embedded.pubsub.broker import Broker
from emulator.simulation.core_bus import CoreBus
from emulator.simulation.core_store import CoreStore
from emulator.topology import Subscription, topology
from shared.domain.envelope import Message
from shared.runtime.stage_table import read_stages
from shared.testing.simulator.engine import Change, Platform

PROJECT = "projects/simulated"


def core_platform() -> Platform:
    """All stages of the table but those that only HTTP reaches, over fresh cores each time."""
    stages = read_stages().stages
    handlers = {
        name: import_module(f"functions.{name}.handler").handle
        for name, stage in stages.items()
        if stage.trigger != "http"
    }
    return Platform(stages, handlers, CoreEngine)


class CoreEngine:
    """Implements `Engine`."""

    def __init__(self, clock: Callable[[], int], random: Random) -> None:
        table = read_stages()
        self._plan = topology(table, "https://simulated")
        self._database = Database(f"{PROJECT}/databases/(default)", clock, random)
        self._database.watch(self._committed)
        self._parked = 0
        self.broker = Broker(clock, random)
        self.store = CoreStore(self._database)
        self.bus = CoreBus(self.broker, f"{PROJECT}/topics/{table.prefix}-", self._published)
        self.on_change: Callable[[Change], None] = lambda _change: None
        self.on_publish: Callable[[str, Message, str], None] = lambda _topic, _message, _id: None
        for name in self._plan.topics:
            self.broker.create_topic(pubsub.Topic(_topic(name)))
        for plan in self._plan.subscriptions:
            self.broker.create_subscription(_subscription(plan))
        self.pushes: Mapping[str, str] = {
            _subscription_name(plan.name): plan.push_to.rpartition("/")[2]
            for plan in self._plan.subscriptions
            if plan.push_to is not None
        }

    def parked(self) -> int:
        """Takes what nobody could take off its subscription; returns how many there were so far."""
        for plan in self._plan.subscriptions:
            if plan.push_to is None:
                name = _subscription_name(plan.name)
                taken = self.broker.pull(name, 1000)
                self.broker.acknowledge(name, [each.ack_id for each in taken])
                self._parked += len(taken)
        return self._parked

    def is_idle(self) -> bool:
        """A message that is not acknowledged is bound to expire: where nothing is, none is left."""
        self.parked()
        return self.broker.next_event() is None

    def _committed(self, _at: int, changes: Sequence[firestore.Change]) -> None:
        for change in changes:
            before = None if change.before is None else change.before.fields
            after = None if change.after is None else change.after.fields
            self.on_change(Change(change.path, before, after))

    def _published(self, topic: str, message: Message, message_id: str) -> None:
        self.on_publish(topic, message, message_id)


def _topic(name: str) -> str:
    return f"{PROJECT}/topics/{name}"


def _subscription_name(name: str) -> str:
    return f"{PROJECT}/subscriptions/{name}"


def _subscription(plan: Subscription) -> pubsub.Subscription:
    dead_letter = None
    if plan.dead_letter_topic is not None and plan.max_attempts is not None:
        dead_letter = pubsub.DeadLetterPolicy(_topic(plan.dead_letter_topic), plan.max_attempts)
    return pubsub.Subscription(
        name=_subscription_name(plan.name),
        topic=_topic(plan.topic),
        ack_deadline=plan.ack_deadline * pubsub.SECOND,
        push=None if plan.push_to is None else pubsub.Push(plan.push_to),
        dead_letter=dead_letter,
        retry=pubsub.RetryPolicy(
            int(plan.min_backoff * pubsub.SECOND), int(plan.max_backoff * pubsub.SECOND)
        ),
        expires_after=None,
        filter=plan.filter,
        ordered=plan.ordering,
    )
