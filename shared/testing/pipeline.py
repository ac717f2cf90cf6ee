"""All stages over ports in memory, with Pub/Sub's manners: redelivery, attempts, dead letters.

Delivers one message after another in an order drawn from a seed. Must not know the handlers' logic.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from shared.delivery.deps import Deps
from shared.delivery.stage import Handle, receive
from shared.domain.envelope import Message
from shared.domain.stages import Stage
from shared.ports import Bus, Effects, Model, Store
from shared.prompting.library import Library
from shared.prompting.versions import FlowVersions
from shared.testing.memory import (
    ManualClock,
    MemoryBus,
    MemoryStore,
    RecordingEffects,
    RecordingTelemetry,
    ScriptedModel,
)

_DEAD = "-dead"


@dataclass
class World:
    """The ports of a pipeline. Replace one by a faulty wrapper to see it survive."""

    library: Library
    documents: MemoryStore = field(default_factory=MemoryStore)
    messages: MemoryBus = field(default_factory=MemoryBus)
    clock: ManualClock = field(default_factory=ManualClock)
    telemetry: RecordingTelemetry = field(default_factory=RecordingTelemetry)
    model: Model = field(default_factory=ScriptedModel)
    effects: Effects = field(default_factory=RecordingEffects)
    store: Store | None = None
    bus: Bus | None = None

    def deps(self, stage: Stage, new_token: Callable[[], str]) -> Deps:
        """What the stage's handler is given."""
        store = self.store or self.documents
        return Deps(
            stage=stage,
            store=store,
            bus=self.bus or self.messages,
            clock=self.clock,
            telemetry=self.telemetry,
            flows=FlowVersions(lambda: self.library, store),
            new_token=new_token,
            retention=timedelta(days=30),
            model=self.model,
            effects=self.effects,
        )


@dataclass(frozen=True)
class _Waiting:
    stage: str
    topic: str
    message_id: str
    message: Message
    attempt: int = 1


class Pipeline:
    """Stages joined by topics; `parked` is what even `bury` could not take."""

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
        self._stages = {s.topic: s for s in stages.values() if s.topic is not None}
        self._bury = stages["bury"]
        self._handlers = handlers
        self._counts_attempts = counts_attempts
        self._deps = {name: world.deps(stage, self._token) for name, stage in stages.items()}
        self._waiting: list[_Waiting] = []
        self.parked: list[Message] = []

    def _token(self) -> str:
        return f"{self.random.getrandbits(64):016x}"

    def deps(self, stage: str = "route") -> Deps:
        """A stage's dependencies, for commands such as redrive."""
        return self._deps[stage]

    async def publish(self, event_type: str, data: object = None, **attributes: str) -> str:
        """Publishes an event to the entry topic, as any client would; returns the message id."""
        given = {"ce-type": event_type, **{k.replace("_", "-"): v for k, v in attributes.items()}}
        body = json.dumps(data).encode()
        [message_id] = await self.world.messages.publish("events", [Message(body, given)])
        return message_id

    async def run(self, *, most: int = 20_000) -> None:
        """Delivers until nothing is left. Time moves on a second with each delivery."""
        for _ in range(most):
            self._collect()
            if not self._waiting:
                return
            await self._deliver(self._waiting.pop(self.random.randrange(len(self._waiting))))
        raise AssertionError(f"{len(self._waiting)} messages are still going round")

    def _collect(self) -> None:
        for topic in self.world.messages.waiting():
            for message_id, message in self.world.messages.take(topic):
                if topic == f"{self._bury.name}{_DEAD}":
                    self.parked.append(message)
                    continue
                stage = self._bury if topic.endswith(_DEAD) else self._stages[topic]
                self._waiting.append(_Waiting(stage.name, topic, message_id, message))

    async def _deliver(self, waiting: _Waiting) -> None:
        self.world.clock.advance(1)
        self.deliveries[waiting.stage] += 1
        deps = self._deps[waiting.stage]
        status = await receive(self._body(waiting), deps, self._handlers[waiting.stage])
        if status < 300:
            return
        await self.give_back(waiting)

    async def give_back(self, waiting: _Waiting) -> None:
        """What Pub/Sub does with a nack: again, or to the dead-letter topic after the last try."""
        stage = self._deps[waiting.stage].stage
        if waiting.attempt < (stage.max_attempts or 5):
            self._waiting.append(replace(waiting, attempt=waiting.attempt + 1))
            return
        marks = {
            "CloudPubSubDeadLetterSourceDeliveryCount": str(waiting.attempt),
            "CloudPubSubDeadLetterSourceSubscription": f"segue-{waiting.topic}",
        }
        dead = Message(waiting.message.data, {**waiting.message.attributes, **marks})
        await self.world.messages.publish(stage.dead_letter_topic, [dead])

    def _body(self, waiting: _Waiting) -> bytes:
        name = waiting.topic if waiting.topic.endswith(_DEAD) else waiting.stage
        push = {
            "message": {
                "data": base64.b64encode(waiting.message.data).decode(),
                "attributes": dict(waiting.message.attributes),
                "messageId": waiting.message_id,
                "publishTime": self.world.clock.now().isoformat(),
            },
            "subscription": f"projects/test/subscriptions/segue-{name}",
        }
        if self._counts_attempts:
            push["deliveryAttempt"] = waiting.attempt  # type: ignore[assignment]
        return json.dumps(push).encode()
