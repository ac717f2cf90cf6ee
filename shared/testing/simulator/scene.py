"""All that one simulation consists of, wired together: engine, instances, weather, watch, story.

Decides who sees what; when anything happens is decided in `simulation`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from shared.delivery.deps import Deps
from shared.domain.envelope import Message, ModelRequest
from shared.domain.prompts.refs import PRODUCTION
from shared.domain.records import Tokens
from shared.domain.retrieval.vectors import Embedded, EmbedRequest
from shared.domain.version import FlowVersion
from shared.ports import Embedder, Model, ModelReply, StageReport
from shared.prompting.library import NO_LIBRARY
from shared.prompting.pushing import By, PromptChanges
from shared.prompting.registry import StoredPrompts
from shared.prompting.resolving import Resolver
from shared.prompting.versions import FlowVersions
from shared.testing.memory import RecordingEffects
from shared.testing.memory_contexts import MemoryContexts
from shared.testing.memory_embedder import WordEmbedder
from shared.testing.memory_objects import MemoryObjects
from shared.testing.simulator.case import Case
from shared.testing.simulator.delivery import Dispatcher, Pool
from shared.testing.simulator.engine import Change, Platform
from shared.testing.simulator.fate import Fate
from shared.testing.simulator.guarantees import Violation
from shared.testing.simulator.instance import CURRENT, Instance
from shared.testing.simulator.invariants import Watch
from shared.testing.simulator.misfortune import (
    Line,
    LineBus,
    LineContexts,
    LineEffects,
    LineEmbedder,
    LineModel,
    LineStore,
    LineTelemetry,
    SkewedClock,
)
from shared.testing.simulator.narration import told_of_change, told_of_message
from shared.testing.simulator.pending import is_something_awaited, is_something_due
from shared.testing.simulator.shelves import shelve
from shared.testing.simulator.story import Story
from shared.testing.simulator.virtual_loop import VirtualLoop
from shared.testing.simulator.weather import Weather

_OUTSIDE = {"events": "client", "sweep": "scheduler"}
_RETENTION = timedelta(days=30)


class Scene:
    """One world. Nothing in it is delivered before `open`."""

    def __init__(
        self, loop: VirtualLoop, case: Case, platform: Platform, seed: int, weather: Weather
    ) -> None:
        self.loop = loop
        self.case = case
        self.weather = weather
        self.story = Story(lambda: loop.elapsed)
        self.fate = Fate(seed, weather, self.story)
        self.watch = Watch(_versions(case), self._violated)
        self.reports: list[StageReport] = []
        self.engine = platform.engine(loop.micros, Random(f"engine {seed}"))
        self.engine.on_change = self._changed
        self.engine.on_publish = self._published
        self.dispatcher = Dispatcher(loop, platform, self.engine.broker, self.engine.pushes)
        self.dispatcher.on_answer = self.watch.answered
        self._platform = platform
        self._model = WatchedModel(case.model(), self.watch)
        self._contexts = MemoryContexts()
        self._effects = RecordingEffects()
        self._library = case.library
        self._pools = {stage: self._pool(stage) for stage in self.engine.pushes.values()}

    async def fill(self) -> None:
        """Collections hold what they hold before anything happens."""
        deps = self.operators_deps(Instance("operator"))
        calm = replace(deps, store=self.engine.store, embedder=WordEmbedder())
        for one in self.case.shelved:
            await shelve(one, calm)

    def open(self) -> None:
        """From now on messages are delivered."""
        self.dispatcher.open(self._pools, self.fate)

    async def deploy(self) -> None:
        """New instances serve the case's later library; old ones finish what they have."""
        if self.case.relabels and self.case.later is not None:
            self.story.tell("operator", "operator", "moves labels")
            by, changes = By("operator", self.loop.now()), PromptChanges(self.engine.store)
            for prompt in self.case.later.prompts.values():
                await changes.push(prompt, by, label=PRODUCTION)
        elif self.case.later is not None:
            self.story.tell("operator", "operator", "deploys new prompts")
            self._library = self.case.later
            for pool in self._pools.values():
                pool.retire()

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing left to deliver, nobody at work, and nothing put off."""
        documents = self.watch.documents
        is_waiting = is_something_due(documents) or is_something_awaited(documents)
        return not self.dispatcher.busy and self.engine.is_idle() and not is_waiting

    def operators_deps(self, instance: Instance) -> Deps:
        """For commands; they know no flow by heart."""
        return self._deps("sweep", instance)

    def _pool(self, stage: str) -> Pool:
        row = self._platform.stages[stage]
        size = min(self.weather.instances, row.max_instances)
        return Pool(stage, size, row.concurrency, lambda one: self._deps(stage, one), self.fate)

    def _deps(self, stage: str, instance: Instance) -> Deps:
        line = Line(instance, self.fate)
        store = LineStore(line, self.engine.store)
        row = self._platform.stages[stage]
        # An instance serves what it was deployed with.
        library = self._library if row.reads_library else NO_LIBRARY
        telemetry = LineTelemetry(instance, self.reports, self.watch.logged)
        return Deps(
            stage=row,
            store=store,
            objects=MemoryObjects(),  # without a bucket all stays in the store
            bus=LineBus(line, self.engine.bus),
            clock=SkewedClock(instance, self.loop),
            telemetry=telemetry,
            resolver=Resolver(StoredPrompts(store), telemetry) if row.reads_library else None,
            flows=FlowVersions(lambda: library, store),
            new_token=self.fate.token,
            retention=_RETENTION,
            model=LineModel(line, self._model),
            embedder=LineEmbedder(line, WatchedEmbedder(self.watch)),
            contexts=LineContexts(line, self._contexts),
            effects=LineEffects(line, self._effects),
            quotas=self.case.quotas,
        )

    # -- what is seen -----------------------------------------------------------------------

    def _changed(self, change: Change) -> None:
        told = told_of_change(change)
        self.story.tell(_who("operator"), "state", told)
        self.watch.changed(change)

    def _published(self, topic: str, message: Message, message_id: str) -> None:
        outside = _OUTSIDE.get(topic, "operator")
        self.story.tell(_who(outside), "message", told_of_message(topic, message, message_id))
        self.watch.published(topic, message, message_id, self.loop.now())

    def _violated(self, violation: Violation) -> None:
        self.story.tell("VIOLATION", "violation", str(violation))


@dataclass(frozen=True)
class WatchedModel:
    """Implements `Model`; whatever is asked of it is seen."""

    model: Model
    watch: Watch

    @property
    def provider(self) -> str:
        return self.model.provider

    async def generate(self, request: ModelRequest, *, seconds: float) -> ModelReply:
        self.watch.asks(request)
        reply = await self.model.generate(request, seconds=seconds)
        self.watch.billed(request, reply.tokens)
        return reply

    def cost(self, model: str, tokens: Tokens) -> float | None:
        return self.model.cost(model, tokens)

    def most_output(self, model: str) -> int | None:
        return self.model.most_output(model)


@dataclass(frozen=True)
class WatchedEmbedder:
    """Implements `Embedder`: by words, and whatever is asked of it is seen."""

    watch: Watch
    embedder: Embedder = field(default_factory=WordEmbedder)

    @property
    def provider(self) -> str:
        return self.embedder.provider

    async def embed(self, request: EmbedRequest, *, seconds: float) -> Embedded:
        self.watch.calls.embeds()
        answer = await self.embedder.embed(request, seconds=seconds)
        self.watch.embedded(request, answer.tokens)
        return answer

    def cost(self, model: str, tokens: Tokens) -> float | None:
        return self.embedder.cost(model, tokens)


def _versions(case: Case) -> dict[str, FlowVersion]:
    """Every version that a run of the case may be pinned to."""
    libraries = [case.library] if case.later is None else [case.library, case.later]
    return {each.version: each for library in libraries for each in library.flows.values()}


def _who(outside: str) -> str:
    """Whose work this is; `outside` where it is no stage's."""
    work = CURRENT.get()
    return outside if work is None else work.instance.name
