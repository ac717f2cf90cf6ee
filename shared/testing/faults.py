"""Seeded misfortune around any port: the same seed gives the same faults in the same places.

Decides when a call fails and whether it happened all the same. Must not know what is called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Literal

from shared.domain.actions import EmailSend, HttpRequest, SlackPost
from shared.domain.envelope import Message, ModelRequest
from shared.domain.model import Json
from shared.domain.records import Tokens
from shared.errors import (
    BusUnavailableError,
    EffectUnavailableError,
    ModelUnreachableError,
    StoreUnavailableError,
)
from shared.ports import Bus, Document, Effects, Model, ModelReply, Query, Store, Write, Written

Kind = Literal["none", "before", "lost", "repeated"]


@dataclass(frozen=True)
class Odds:
    """How often a call meets each fault, as probabilities.

    before: it fails and nothing happened. lost: it happened and fails all the same.
    repeated: it happened twice, as when a client sends it again after a lost answer.
    """

    before: float = 0.0
    lost: float = 0.0
    repeated: float = 0.0


class Faults:
    """Draws faults; `most` is where misfortune ends, so that everything can finish."""

    def __init__(self, random: Random, odds: Odds, *, most: int | None = None) -> None:
        self.injected: Counter[str] = Counter()
        self._random = random
        self._odds = odds
        self._most = most

    def draw(self) -> Kind:
        """What happens to the next call."""
        drawn = self._random.random()
        if self._most is not None and self.injected.total() >= self._most:
            return "none"
        kind = self._kind(drawn)
        if kind != "none":
            self.injected[kind] += 1
        return kind

    def _kind(self, drawn: float) -> Kind:
        kinds: tuple[Kind, ...] = ("before", "lost", "repeated")
        for kind in kinds:
            drawn -= getattr(self._odds, kind)
            if drawn < 0:
                return kind
        return "none"


class FaultyStore:
    """A `Store` whose commits fail, are done without an answer, or are done twice."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        kind = self._faults.draw()
        if kind == "before":
            raise StoreUnavailableError("fault: not committed")
        written = await self._store.commit(writes)
        if kind == "lost":
            raise StoreUnavailableError("fault: committed, answer lost")
        # Where a precondition no longer holds, the caller meets its own earlier commit.
        return await self._store.commit(writes) if kind == "repeated" else written

    async def get(self, path: str) -> Document | None:
        self._read()
        return await self._store.get(path)

    async def get_many(self, paths: Sequence[str]) -> list[Document | None]:
        self._read()
        return await self._store.get_many(paths)

    async def find(self, query: Query) -> list[Document]:
        self._read()
        return await self._store.find(query)

    def _read(self) -> None:
        if self._faults.draw() in {"before", "lost"}:
            raise StoreUnavailableError("fault: not read")


class FaultyBus:
    """A `Bus` that fails, takes messages without saying so, or takes them twice."""

    def __init__(self, bus: Bus, faults: Faults) -> None:
        self._bus = bus
        self._faults = faults

    async def publish(self, topic: str, messages: Sequence[Message]) -> list[str]:
        kind = self._faults.draw()
        if kind == "before":
            raise BusUnavailableError("fault: not published")
        message_ids = await self._bus.publish(topic, messages)
        if kind == "lost":
            raise BusUnavailableError("fault: published, answer lost")
        return await self._bus.publish(topic, messages) if kind == "repeated" else message_ids


class FaultyModel:
    """A `Model` that cannot be reached, or whose billed answer is lost or asked for twice."""

    def __init__(self, model: Model, faults: Faults) -> None:
        self._model = model
        self._faults = faults

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        kind = self._faults.draw()
        if kind == "before":
            raise ModelUnreachableError("fault: not asked")
        reply = await self._model.generate(request, seconds=seconds)
        if kind == "lost":
            raise ModelUnreachableError("fault: answered, answer lost")
        if kind == "repeated":
            return await self._model.generate(request, seconds=seconds)
        return reply

    def cost(self, model: str, tokens: Tokens) -> float | None:
        return self._model.cost(model, tokens)


class FaultyEffects:
    """`Effects` that fail, or happen without saying so; the outside repeats nothing itself."""

    def __init__(self, effects: Effects, faults: Faults) -> None:
        self._effects = effects
        self._faults = faults

    async def post_to_slack(self, action: SlackPost, key: str) -> Json:
        with self._fault():
            return await self._effects.post_to_slack(action, key)

    async def send_email(self, action: EmailSend, key: str) -> Json:
        with self._fault():
            return await self._effects.send_email(action, key)

    async def request_http(self, action: HttpRequest, key: str) -> Json:
        with self._fault():
            return await self._effects.request_http(action, key)

    @contextmanager
    def _fault(self) -> Iterator[None]:
        kind = self._faults.draw()
        if kind == "before":
            raise EffectUnavailableError("fault: not done")
        yield
        if kind == "lost":
            raise EffectUnavailableError("fault: done, answer lost")
