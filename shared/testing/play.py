"""Plays a typed flow in memory, over the real stages: what it came to, and what it left.

For tests of flows: no emulator, no network, no waiting. Handlers are those of the table of stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, Generic
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from shared.delivery.runs.report import report_of
from shared.delivery.stage import Handle
from shared.domain.envelope import ModelRequest
from shared.domain.records import Failure, Record
from shared.domain.run_notes import ProgressRecord, StateRecord, progress_of, state_path
from shared.domain.version import FlowVersion
from shared.prompting.library import Library, read_flow, read_library
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages
from shared.testing.memory import Answer, RecordingEffects, ScriptedModel
from shared.testing.pipeline import Pipeline, World
from shared.typed.calling import AnyFlow, registered_meanwhile
from shared.typed.compile import flow_text
from shared.typed.events import E, Event, name_of, read
from shared.typed.flow import Flow, Start, Stop
from shared.typed.results import stop_event
from shared.typed.shapes import FlowShape


@dataclass(frozen=True)
class Played(Generic[Stop]):
    """A run that has ended. `record` is it as `segue show --json` has it.

    `asked` is what models were asked; `effects` is what was done outside; `state` is that of the
    context, None where the flow has none; `told` are the progress events, in order of time.
    """

    flow: type[Flow[Any, Stop]]
    record: Mapping[str, Any]
    told: tuple[ProgressRecord, ...]
    state: Any
    asked: tuple[ModelRequest, ...]
    effects: RecordingEffects

    @property
    def status(self) -> str:
        return str(self.record["status"])

    @property
    def error(self) -> Failure | None:
        """Why it failed, if it did."""
        found = self.record["error"]
        return Failure.model_validate(found) if found is not None else None

    @property
    def stop(self) -> Stop:
        """What it came to. Raises AssertionError, with the reason, where it did not succeed."""
        if self.status != "succeeded":
            raise AssertionError(f"the run has {self.status}: {self.error}")
        return stop_event(self.flow, self.record["outputs"])

    def given(self, step: str) -> Any:
        """The event that a step gave, or a list of them; None where it gave none."""
        shape: FlowShape = self.flow.shape
        kinds, output = shape.steps[step].gives.kinds, self.record["steps"][step]["output"]
        if isinstance(output, list):
            return [_event(kinds, item) for item in output]
        return _event(kinds, output)

    def emitted(self, kind: type[E]) -> list[E]:
        """The progress events of one kind, in order of time."""
        return [kind.model_validate(one.data) for one in self.told if one.event == name_of(kind)]


def _event(kinds: tuple[type[Event], ...], output: Any) -> Event | None:
    is_none = output is None or output.get("event", "") is None
    return None if is_none else read(output, kinds)


async def play(
    flow: type[Flow[Start, Stop]],
    start: Start,
    *,
    answers: Mapping[str, Answer] | None = None,
    default: Answer = "An answer.",
    prompts: Library | None = None,
    seed: int = 0,
) -> Played[Stop]:
    """Runs the flow to its end. `answers` are those of models, by prompt; `default` for others.

    `prompts` are those that it may ask with, the project's own where none are given. The order in
    which messages are delivered follows from `seed`. Raises SourceProblems where the flow does not
    fit its prompts.
    """
    version = _shipped_version(flow) if prompts is None else _version(flow, prompts)
    model = ScriptedModel(answers, default=default)
    effects = RecordingEffects()
    served = Library({flow.name: version}, version.prompts, ())
    world = World(served, model=model, effects=effects)
    pipeline = Pipeline(world, read_stages().stages, _handlers(), seed=seed)
    with registered_meanwhile(flow):
        only = {"segue_flow": flow.name}
        event_type = flow.on.translate(str.maketrans("*?", "xx"))
        await pipeline.publish(event_type, start.model_dump(mode="json"), ce_id="played", **only)
        await pipeline.run()
    [run_id] = (
        path.rpartition("/")[2]
        for path in world.documents.documents
        if path.startswith(f"runs/{flow.name}-") and path.count("/") == 1
    )
    return Played(
        flow,
        await report_of(run_id, pipeline.deps()),
        _told(world, run_id),
        _state(world, run_id, flow.shape.state),
        tuple(model.calls),
        effects,
    )


def _told(world: World, run_id: str) -> tuple[ProgressRecord, ...]:
    below = f"{progress_of(run_id)}/"
    found = (one for path, one in world.documents.documents.items() if path.startswith(below))
    records = [ProgressRecord.of(one.data) for one in found]
    return tuple(sorted(records, key=lambda record: (record.at, record.step, record.n)))


def _state(world: World, run_id: str, model: type[BaseModel] | None) -> BaseModel | None:
    if model is None:
        return None
    found = world.documents.documents.get(state_path(run_id))
    record: Record | None = StateRecord.of(found.data) if found is not None else None
    return model.model_validate(record.state) if isinstance(record, StateRecord) else model()


def _version(flow: AnyFlow, prompts: Library) -> FlowVersion:
    return read_flow(flow_text(flow.shape), f"{flow.name}.yaml", prompts.prompts)


_VERSIONS: WeakKeyDictionary[AnyFlow, FlowVersion] = WeakKeyDictionary()


def _shipped_version(flow: AnyFlow) -> FlowVersion:
    """Over the project's own prompts, as they were when somebody first asked."""
    if flow not in _VERSIONS:
        _VERSIONS[flow] = _version(flow, _shipped())
    return _VERSIONS[flow]


@lru_cache(maxsize=1)
def _shipped() -> Library:
    return read_library(ROOT / "prompts")


@lru_cache(maxsize=1)
def _handlers() -> Mapping[str, Handle]:
    """Of all stages but those that only HTTP reaches."""
    return {
        name: import_module(f"functions.{name}.handler").handle
        for name, stage in read_stages().stages.items()
        if stage.trigger != "http"
    }
