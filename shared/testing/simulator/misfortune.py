"""The ports as one instance has them: slow, refused, unheard, done twice; dead with the instance.

Each call takes time on its way there, and the process may die before or after its effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from shared.domain.actions import EmailSend, HttpRequest, SlackPost
from shared.domain.envelope import Message, ModelRequest
from shared.domain.model import Json
from shared.domain.records import Tokens
from shared.domain.retrieval.vectors import Embedded, EmbedRequest
from shared.errors import (
    ActionFailedError,
    BusUnavailableError,
    EffectUnavailableError,
    ModelRefusedError,
    ModelUnreachableError,
    StoreUnavailableError,
    Transient,
)
from shared.ports import (
    Bus,
    Clock,
    ContextCaches,
    Document,
    Effects,
    Embedder,
    KeptContext,
    Model,
    ModelReply,
    Near,
    Nearest,
    Query,
    StageReport,
    Store,
    Write,
    Written,
)
from shared.testing.simulator.fate import Fate, excuse
from shared.testing.simulator.instance import CURRENT, Instance
from shared.testing.simulator.weather import Service

T = TypeVar("T")
NONSENSE = "This is not what you asked for."
_ERRORS: Mapping[Service, type[Transient]] = {
    "store": StoreUnavailableError,
    "bus": BusUnavailableError,
    "model": ModelUnreachableError,
    "effects": EffectUnavailableError,
}
_STUBBORN = 0.7  # that a model which has talked nonsense does so again
_THOUGHT = 20  # how much longer than other services a model takes
_PATIENCE = (0.5, 0.99, 2.0)  # how slow a slow model is, by what the stage has time for


@dataclass(frozen=True)
class Line:
    """The way from an instance to the services."""

    instance: Instance
    fate: Fate

    async def call(self, service: Service, name: str, effect: Callable[[], Awaitable[T]]) -> T:
        """Calls a service; `name` is what the story calls that.

        Raises the service's Transient error where it refuses or its answer is lost, and Killed.
        """
        instance, fate = self.instance, self.fate
        instance.check()
        await fate.travel(instance)
        fate.may_kill(instance, f"before {name}")
        fault, error = fate.fault(service, name, instance.name), _ERRORS[service]
        if fault in {"refused", "aborted"}:
            raise error(f"simulated: {name} was {fault}")
        result = await effect()
        if fault == "repeated":  # a client that sends again meets what its first try did
            if service == "model":
                excuse()
            result = await effect()
        fate.may_kill(instance, f"after {name}")
        if fault == "lost":
            raise error(f"simulated: the answer to {name} was lost")
        await fate.may_stall(instance)
        return result


@dataclass(frozen=True)
class LineStore:
    """Implements `Store`."""

    line: Line
    store: Store

    async def _call(self, name: str, effect: Callable[[], Awaitable[T]]) -> T:
        return await self.line.call("store", name, effect)

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        return await self._call("the commit", lambda: self.store.commit(writes))

    async def get(self, path: str) -> Document | None:
        return await self._call("the read", lambda: self.store.get(path))

    async def get_many(self, paths: Sequence[str]) -> list[Document | None]:
        return await self._call("the read", lambda: self.store.get_many(paths))

    async def find(self, query: Query) -> list[Document]:
        return await self._call("the query", lambda: self.store.find(query))

    async def count(self, query: Query) -> int:
        return await self._call("the count", lambda: self.store.count(query))

    async def nearest(self, query: Nearest) -> list[Near]:
        return await self._call("the search", lambda: self.store.nearest(query))


@dataclass(frozen=True)
class LineBus:
    """Implements `Bus`."""

    line: Line
    bus: Bus

    async def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
        return await self.line.call("bus", "the publish", lambda: self.bus.publish(topic, messages))


@dataclass(frozen=True)
class LineModel:
    """Implements `Model`: it may also be slow, talk nonsense or refuse for good."""

    line: Line
    model: Model

    @property
    def provider(self) -> str:
        return self.model.provider

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        fate, who = self.line.fate, self.line.instance.name
        step = request.labels.get("segue-step", "")
        fate.story.tell(who, "model", f"asks {request.model} for step {step}")
        work = CURRENT.get()
        if work is not None:
            work.tried.add(request.model)

        async def answer() -> ModelReply:
            await asyncio.sleep(fate.seconds(0, fate.weather.latency * _THOUGHT))
            return self._spoiled(await self.model.generate(request, seconds=seconds), request)

        reply = await self.line.call("model", "the model", answer)
        if fate.strikes(fate.weather.answers.slow, "slow model", who, "the model takes very long"):
            await asyncio.sleep(seconds * _PATIENCE[fate.below(len(_PATIENCE))])
        return reply

    def _spoiled(self, reply: ModelReply, request: ModelRequest) -> ModelReply:
        fate, who, odds = self.line.fate, self.line.instance.name, self.line.fate.weather.answers
        if fate.strikes(odds.refusal, "model refuses", who, "the model refuses to answer"):
            raise ModelRefusedError("simulated: the model refuses to answer")
        wanted, work = request.output_schema is not None, CURRENT.get()
        has_babbled = work is not None and work.babbles
        nonsense = _STUBBORN if has_babbled else odds.nonsense
        if wanted and fate.strikes(nonsense, "nonsense", who, "the model talks nonsense"):
            excuse()
            if work is not None:
                work.babbles = True
            return replace(reply, text=NONSENSE, calls=(), said=None)
        return reply

    def cost(self, model: str, tokens: Tokens) -> float | None:
        return self.model.cost(model, tokens)

    def most_output(self, model: str) -> int | None:
        return self.model.most_output(model)


@dataclass(frozen=True)
class LineEmbedder:
    """Implements `Embedder`: it fails as the model does."""

    line: Line
    embedder: Embedder

    @property
    def provider(self) -> str:
        return self.embedder.provider

    async def embed(self, request: EmbedRequest, *, seconds: float) -> Embedded:
        def effect() -> Awaitable[Embedded]:
            return self.embedder.embed(request, seconds=seconds)

        return await self.line.call("model", "the embedding", effect)

    def cost(self, model: str, tokens: Tokens) -> float | None:
        return self.embedder.cost(model, tokens)


@dataclass(frozen=True)
class LineContexts:
    """Implements `ContextCaches`: it fails as the model does; what is made may be unheard of."""

    line: Line
    contexts: ContextCaches

    @property
    def provider(self) -> str:
        return self.contexts.provider

    async def make(self, request: ModelRequest, *, ttl: float, seconds: float) -> KeptContext:
        def effect() -> Awaitable[KeptContext]:
            return self.contexts.make(request, ttl=ttl, seconds=seconds)

        return await self.line.call("model", "the context", effect)

    def cost(self, model: str, tokens: int, seconds: float) -> float | None:
        return self.contexts.cost(model, tokens, seconds)


@dataclass(frozen=True)
class LineEffects:
    """Implements `Effects`."""

    line: Line
    effects: Effects

    async def post_to_slack(self, action: SlackPost, key: str) -> Json:
        return await self._call("slack", lambda: self.effects.post_to_slack(action, key))

    async def send_email(self, action: EmailSend, key: str) -> Json:
        return await self._call("mail", lambda: self.effects.send_email(action, key))

    async def request_http(self, action: HttpRequest, key: str) -> Json:
        return await self._call("http", lambda: self.effects.request_http(action, key))

    async def _call(self, name: str, effect: Callable[[], Awaitable[Json]]) -> Json:
        fate = self.line.fate
        told = f"{name} rejects the action for good"
        if fate.strikes(fate.weather.rejection, "rejection", self.line.instance.name, told):
            raise ActionFailedError(f"simulated: {told}")
        return await self.line.call("effects", name, effect)


@dataclass(frozen=True)
class SkewedClock:
    """Implements `Clock`: the instance's own, which may be a little off."""

    instance: Instance
    clock: Clock

    def now(self) -> datetime:
        return self.clock.now() + timedelta(seconds=self.instance.skew)

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self.instance.check()


@dataclass(frozen=True)
class LineTelemetry:
    """Implements `Telemetry`: what a stage says of each attempt is kept with that attempt.

    `on_run` is called for lines that tell of a run's start or end, with their kind and its id.
    """

    instance: Instance
    reports: list[StageReport]
    on_run: Callable[[str, str], None]

    def report(self, report: StageReport) -> None:
        work = CURRENT.get()
        if self.instance.alive:
            self.reports.append(report)
            if work is not None:
                work.told = report

    def log(
        self, severity: str, message: str, *, trace_id: str | None = None, **fields: Any
    ) -> None:
        if self.instance.alive and fields.get("kind") in {"run_started", "run_ended"}:
            self.on_run(fields["kind"], fields["labels"]["run_id"])

    async def flush(self) -> None: ...
