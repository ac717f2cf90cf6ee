"""All stages over ports in memory, with Pub/Sub's manners: redelivery, back-off, dead letters.

Messages come one by one, which one is drawn from a seed; `simulator` has everything at once and
goes wrong. Knows no handler's logic.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from shared.delivery.deps import Deps
from shared.delivery.stage import Handle, receive
from shared.domain.envelope import Message
from shared.domain.model_calls.quotas import NO_QUOTAS, Quotas
from shared.domain.stages import Retry, Stage
from shared.ports import Bus, ContextCaches, Effects, Embedder, Model, Store, ToolServers
from shared.prompting.library import NO_LIBRARY, Library
from shared.prompting.registry import StoredPrompts
from shared.prompting.resolving import Resolver
from shared.prompting.versions import FlowVersions
from shared.testing.memory import (
    ManualClock,
    MemoryBus,
    MemoryStore,
    RecordingEffects,
    RecordingTelemetry,
    ScriptedModel,
)
from shared.testing.memory_contexts import MemoryContexts
from shared.testing.memory_embedder import WordEmbedder
from shared.testing.memory_objects import MemoryObjects

_DEAD = "-dead"
_RETRY = Retry(min=10.0, max=600.0)


class Crash(BaseException):
    """Ends a delivery as a killed instance does: nobody answers, the broker sends it again."""


@dataclass(frozen=True)
class Granted:
    """Implements `Bus` for a stage: it publishes where the table of stages lets its account."""

    bus: Bus
    stage: Stage

    async def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
        """Raises PermissionError, as production refuses."""
        own = () if self.stage.trigger == "http" else (self.stage.dead_letter_topic,)
        if topic not in {*self.stage.publishes, *own}:
            raise PermissionError(f"{self.stage.name} may not publish to {topic}")
        return await self.bus.publish(topic, messages)


@dataclass
class World:
    """The ports of a pipeline. Replace one by a faulty wrapper to see it survive.

    Replacing `library` later is a deployment: the stages serve the new one from then on.
    """

    library: Library
    documents: MemoryStore = field(default_factory=MemoryStore)
    messages: MemoryBus = field(default_factory=MemoryBus)
    clock: ManualClock = field(default_factory=ManualClock)
    telemetry: RecordingTelemetry = field(default_factory=RecordingTelemetry)
    model: Model = field(default_factory=ScriptedModel)
    embedder: Embedder = field(default_factory=WordEmbedder)
    contexts: ContextCaches = field(default_factory=MemoryContexts)
    effects: Effects = field(default_factory=RecordingEffects)
    servers: ToolServers | None = None
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    payload_bucket: str | None = None
    quotas: Quotas = NO_QUOTAS
    store: Store | None = None
    bus: Bus | None = None

    def deps(self, stage: Stage, new_token: Callable[[], str]) -> Deps:
        """What the stage's handler is given."""
        store = self.store or self.documents
        return Deps(
            stage=stage,
            store=store,
            objects=self.objects,
            bus=Granted(self.bus or self.messages, stage),
            clock=self.clock,
            telemetry=self.telemetry,
            flows=FlowVersions(lambda: self._library_of(stage), store),
            resolver=self._resolver(stage, store),
            new_token=new_token,
            retention=timedelta(days=30),
            model=self.model,
            embedder=self.embedder,
            contexts=self.contexts,
            effects=self.effects,
            servers=self.servers,
            payload_bucket=self.payload_bucket,
            quotas=self.quotas,
        )

    def _resolver(self, stage: Stage, store: Store) -> Resolver | None:
        return Resolver(StoredPrompts(store), self.telemetry) if stage.reads_library else None

    def _library_of(self, stage: Stage) -> Library:
        return self.library if stage.reads_library else NO_LIBRARY


@dataclass(frozen=True)
class Waiting:
    """A message on its way to a stage; `due` is when the broker sends it (again)."""

    stage: str
    topic: str
    message_id: str
    message: Message
    published: datetime
    due: datetime
    attempt: int = 1


class Pipeline:
    """Stages joined by topics. With `counts_attempts` deliveries carry their number.

    `deliveries` count by stage; `parked` is what even `bury` could not take; `cut_down` are
    deliveries that a `Crash` ended.
    """

    def __init__(
        self,
        world: World,
        stages: Mapping[str, Stage],
        handlers: Mapping[str, Handle],
        *,
        seed: int = 0,
        counts_attempts: bool = True,
    ) -> None:
        self.world = world
        self.random = Random(seed)
        self.deliveries: Counter[str] = Counter()
        self.parked: list[Message] = []
        self.cut_down: list[Waiting] = []
        self._stages = {s.topic: s for s in stages.values() if s.topic is not None}
        self._bury = stages["bury"]
        self._handlers = handlers
        self._counts_attempts = counts_attempts
        self._deps = {name: world.deps(stage, self._token) for name, stage in stages.items()}
        self._waiting: list[Waiting] = []

    def _token(self) -> str:
        return f"{self.random.getrandbits(64):016x}"

    def deps(self, stage: str = "route") -> Deps:
        """A stage's dependencies, for commands such as redrive."""
        return self._deps[stage]

    async def publish(self, event_type: str, data: object = None, **attributes: str) -> str:
        """Publishes an event to the entry topic, as any client would; returns the message id."""
        given = {"ce-type": event_type, **{k.replace("_", "-"): v for k, v in attributes.items()}}
        return await self.send("events", json.dumps(data).encode(), given)

    async def send(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Puts any message on any topic; returns the message id."""
        [message_id] = await self.world.messages.publish(topic, [Message(data, attributes)])
        return message_id

    async def run(self, *, most: int = 20_000) -> None:
        """Delivers until nothing is left. Raises AssertionError where messages go round for ever.

        Each takes a second; where all that is left waits to be retried, time jumps there.
        """
        for _ in range(most):
            if not self.collect():
                return
            await self._deliver_next(self._drawn())
        raise AssertionError(f"{len(self._waiting)} messages are still going round")

    def collect(self) -> Sequence[Waiting]:
        """All that waits for delivery, with what has been published since the last look."""
        for topic in self.world.messages.waiting():
            for message_id, message in self.world.messages.take(topic):
                if topic == f"{self._bury.name}{_DEAD}":
                    self.parked.append(message)
                    continue
                stage = self._bury if topic.endswith(_DEAD) else self._stages[topic]
                now = self.world.clock.now()
                waiting = Waiting(stage.name, topic, message_id, message, now, now)
                self._waiting.append(waiting)
        return tuple(self._waiting)

    async def step(self, stage: str | None = None) -> bool:
        """Delivers one message, to `stage` where one is named; False where none was waiting."""
        fitting = [one for one in self.collect() if stage in {None, one.stage}]
        if not fitting:
            return False
        chosen = self.take(self.random.choice(fitting))
        await self._deliver_next(chosen)
        return True

    def take(self, waiting: Waiting) -> Waiting:
        """Takes a message off the queue, to be handed to `deliver`."""
        self._waiting.remove(waiting)
        return waiting

    def _drawn(self) -> Waiting:
        """The next delivery, of what is due."""
        first = min(one.due for one in self._waiting)
        if first > self.world.clock.now():
            self.world.clock.advance(first - self.world.clock.now())
        due = [one for one in self._waiting if one.due <= self.world.clock.now()]
        return self.take(self.random.choice(due))

    async def _deliver_next(self, drawn: Waiting) -> None:
        self.world.clock.advance(1)
        await self.deliver(drawn)

    async def deliver(self, waiting: Waiting) -> None:
        """One delivery, with what the broker does about its answer."""
        self.deliveries[waiting.stage] += 1
        deps = self._deps[waiting.stage]
        try:
            status = await receive(self._body(waiting), deps, self._handlers[waiting.stage])
        except Crash:
            self.cut_down.append(waiting)
            status = 500
        if status >= 300:
            await self._give_back(waiting)

    async def _give_back(self, waiting: Waiting) -> None:
        """What Pub/Sub does with a nack: later again, or to the dead-letter topic at last."""
        stage = self._deps[waiting.stage].stage
        if waiting.attempt < (stage.max_attempts or 5):
            due = self.world.clock.now() + _backoff(stage.retry or _RETRY, waiting.attempt)
            self._waiting.append(replace(waiting, attempt=waiting.attempt + 1, due=due))
            return
        marks = {
            "CloudPubSubDeadLetterSourceDeliveryCount": str(waiting.attempt),
            "CloudPubSubDeadLetterSourceSubscription": f"segue-{waiting.topic}",
            "CloudPubSubDeadLetterSourceTopicPublishTime": waiting.published.isoformat(),
        }
        dead = {**waiting.message.attributes, **marks}
        await self.send(stage.dead_letter_topic, waiting.message.data, dead)

    def _body(self, waiting: Waiting) -> bytes:
        name = waiting.topic if waiting.topic.endswith(_DEAD) else waiting.stage
        push: dict[str, Any] = {
            "message": {
                "data": base64.b64encode(waiting.message.data).decode(),
                "attributes": dict(waiting.message.attributes),
                "messageId": waiting.message_id,
                "publishTime": waiting.published.isoformat(),
            },
            "subscription": f"projects/test/subscriptions/segue-{name}",
        }
        if self._counts_attempts:
            push["deliveryAttempt"] = waiting.attempt
        return json.dumps(push).encode()


def _backoff(retry: Retry, attempt: int) -> timedelta:
    return timedelta(seconds=min(retry.min * 2 ** (attempt - 1), retry.max))
