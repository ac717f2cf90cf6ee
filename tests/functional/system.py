"""The whole pipeline in memory, as the tests see it; builders for flows and prompts in a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from textwrap import dedent
from typing import Any, TypeVar

import functions.act.handler
import functions.bury.handler
import functions.compose.handler
import functions.generate.handler
import functions.route.handler
import functions.sweep.handler
import tests.functional.calls  # noqa: F401 - registers the functions that flows call
from shared.delivery import crashpoints
from shared.delivery.crashpoints import Point
from shared.delivery.letters.redrive import Redriven, redrive
from shared.delivery.runs.report import Report, report_of
from shared.delivery.stage import receive
from shared.domain.agents.tool import ToolVersion
from shared.domain.envelope import ModelRequest
from shared.domain.model_calls.quotas import NO_QUOTAS, Quotas
from shared.domain.records import DeadLetterRecord, Record, RunRecord
from shared.domain.version import FlowVersion, PromptVersion
from shared.ports import ContextCaches, Model, Query, Store, ToolServers
from shared.prompting.library import NO_TOOLS, Library, read_flow, read_library
from shared.prompting.prompt_file import read_prompt
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages
from shared.testing.memory import MemoryStore, RecordingEffects, ScriptedModel
from shared.testing.memory_contexts import MemoryContexts
from shared.testing.memory_embedder import WordEmbedder
from shared.testing.pipeline import Crash, Pipeline, Waiting, World

HANDLERS = {
    "route": functions.route.handler.handle,
    "compose": functions.compose.handler.handle,
    "generate": functions.generate.handler.handle,
    "act": functions.act.handler.handle,
    "sweep": functions.sweep.handler.handle,
    "bury": functions.bury.handler.handle,
}
EVENT = "thing.happened"
R = TypeVar("R", bound=Record)


def prompt(name: str, body: str, **head: Any) -> PromptVersion:
    """A prompt by name and body; `head` are further keys of its front matter."""
    front = {"description": f"The prompt {name}.", "model": "gemini-2.5-flash", **head}
    return read_prompt(name, f"---\n{json.dumps(front)}\n---\n{body}", f"{name}.md.j2", {})


SAY = prompt("say", "{{ text }}")


def flow(
    steps: str,
    *prompts: PromptVersion,
    name: str = "thing",
    more: str = "",
    tools: Mapping[str, ToolVersion] = NO_TOOLS,
) -> FlowVersion:
    """A flow on EVENT, from the YAML of its steps and of whatever else it declares."""
    declared = dedent(more).strip()
    on = "" if "on:" in declared else f"on: {{event: {EVENT}}}"
    indented = "\n".join(f"  {line}" for line in dedent(steps).strip().splitlines())
    text = f"flow: {name}\n{on}\n{declared}\nsteps:\n{indented}\n"
    known = {one.name: one for one in (SAY, *prompts)}
    return read_flow(text, f"{name}.yaml", known, tools=tools)


def library(*flows: FlowVersion) -> Library:
    """A library of these flows."""
    prompts = {name: found for one in flows for name, found in one.prompts.items()}
    return Library({one.flow.flow: one for one in flows}, prompts, ())


def shipped() -> Library:
    """The flows and prompts that Segue comes with."""
    return read_library(ROOT / "prompts")


def echoing(request: ModelRequest) -> str:
    """An answer that tells the step and what it was asked."""
    return f"{request.labels['segue-step']}({request.messages[0][1]})"


class System:
    """A pipeline over a world, and what a test wants to know of them."""

    def __init__(
        self,
        flows: Library | Iterable[FlowVersion],
        *,
        model: Model | None = None,
        seed: int = 0,
        counts_attempts: bool = True,
        store: Callable[[MemoryStore], Store] | None = None,
        payload_bucket: str | None = None,
        servers: ToolServers | None = None,
        quotas: Quotas = NO_QUOTAS,
        contexts: ContextCaches | None = None,
    ) -> None:
        known = flows if isinstance(flows, Library) else library(*flows)
        self.effects = RecordingEffects()
        self.model = model or ScriptedModel(default=echoing)
        self.embedder = WordEmbedder()
        self.world = World(
            known,
            model=self.model,
            embedder=self.embedder,
            effects=self.effects,
            servers=servers,
            payload_bucket=payload_bucket,
            quotas=quotas,
            contexts=contexts or MemoryContexts(),
        )
        if store is not None:
            self.world.store = store(self.world.documents)
        stages = read_stages().stages
        self.pipeline = Pipeline(
            self.world, stages, HANDLERS, seed=seed, counts_attempts=counts_attempts
        )
        self.publish = self.pipeline.publish
        self.send = self.pipeline.send
        self.run = self.pipeline.run

    async def start(self, data: object = None, event_type: str = EVENT, **about: str) -> None:
        """Publishes an event and delivers until nothing is left."""
        await self.publish(event_type, data, **about)
        await self.run()

    async def killed_at(self, point: Point, step: str) -> None:
        """Delivers the message of a step to an instance that dies at `point`."""
        [waiting] = [one for one in self.pipeline.collect() if _step_of(one) == step]
        await self.killed_on(self.pipeline.take(waiting), point)

    async def killed_on(self, waiting: Waiting, point: Point) -> None:
        """The same for a message that is off the queue already."""

        def die(reached: Point) -> None:
            if reached == point:
                raise Crash

        crashpoints.arm(die)
        try:
            await self.pipeline.deliver(waiting)
        finally:
            crashpoints.arm(None)

    async def push(self, stage: str, body: bytes) -> int:
        """The HTTP status that a stage answers any request with."""
        return await receive(body, self.pipeline.deps(stage), HANDLERS[stage])

    # -- what is recorded -------------------------------------------------------------------

    def stored(self, collection: str, kind: type[R]) -> list[R]:
        """All records of a collection."""
        depth = collection.count("/") + 1
        return [
            kind.of(document.data)
            for path, document in sorted(self.world.documents.documents.items())
            if path.startswith(f"{collection}/") and path.count("/") == depth
        ]

    def letters(self) -> list[DeadLetterRecord]:
        return self.stored("dead_letters", DeadLetterRecord)

    def letter(self) -> DeadLetterRecord:
        """The only dead letter."""
        [letter] = self.letters()
        return letter

    def run_ids(self) -> list[str]:
        return [run.run_id for run in self.stored("runs", RunRecord)]

    async def report(self, run_id: str | None = None) -> Report:
        """The report of a run, of the only one where none is named."""
        if run_id is None:
            [run_id] = self.run_ids()
        return await report_of(run_id, self.pipeline.deps())

    async def statuses(self) -> dict[str, str]:
        """The steps of the only run, by status."""
        steps = (await self.report())["steps"]
        return {name: step["status"] for name, step in steps.items()}

    async def joins(self) -> dict[str, Mapping[str, Any]]:
        """The join counters of the only run."""
        [run_id] = self.run_ids()
        found = await self.world.documents.find(Query(f"runs/{run_id}/joins"))
        return {join.name: join.data for join in found}

    # -- what happened ----------------------------------------------------------------------

    def asked(self) -> list[str]:
        """What the model was asked, call by call: step and last words of the request."""
        assert isinstance(self.model, ScriptedModel)
        return [f"{one.labels['segue-step']}: {one.messages[-1][1]}" for one in self.model.calls]

    def topics(self, topic: str) -> int:
        """How many messages were ever published to a topic."""
        return sum(name == topic for name, _, _ in self.world.messages.published)

    # -- what an operator does --------------------------------------------------------------

    def deploy(self, *flows: FlowVersion) -> None:
        """From now on these are today's flows."""
        self.world.library = library(*flows)

    async def redrive(self, letter_id: str | None = None, *, repin: bool = False) -> Redriven:
        """Redrives a letter or run (the only open letter, where none is named) and runs on."""
        if letter_id is None:
            [letter_id] = [one.letter_id for one in self.letters() if one.status == "open"]
        route = read_stages().stages["route"]
        operator = self.world.deps(route, lambda: "operator")  # a process that has just begun
        done = await redrive(letter_id, operator, repin=repin)
        await self.run()
        return done


def _step_of(waiting: Waiting) -> str | None:
    return waiting.message.attributes.get("segue-step")
