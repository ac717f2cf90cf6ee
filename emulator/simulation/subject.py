"""What is to be simulated, as asked for on the command line: an event, its data, its flows.

Finds sample data where none is given. Must not know seeds or weather.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.samples import DOCUMENTS, EVENTS, sample_for
from emulator.simulation.answers import answer
from emulator.standin.derive import UnderivableSchemaError, derive
from shared.domain.flow import BatchTrigger, CallTrigger, Flow, ScheduleTrigger
from shared.domain.starts.schedules import DUE, Schedule
from shared.domain.step import WaitStep
from shared.domain.waiting import ForApproval, ForSignal
from shared.errors import UsageError
from shared.prompting.library import Library
from shared.prompting.render import schema_problem
from shared.testing.memory import ScriptedModel
from shared.testing.simulator.case import Case, Told
from shared.testing.simulator.shelves import Shelved


class NoSuchFlowError(UsageError):
    """`segue flows list` tells more of them, `segue flows check` what is wrong with others."""


class NoSampleError(UsageError):
    """Name the flow with --flow, and give the event's data with --data JSON, or @file."""


class WhoseDataError(UsageError):
    """Name the flow with --flow, or the event with --event."""


@dataclass(frozen=True)
class Subject:
    """An event to be simulated. `name` is its flow, or its type where no flow is named.

    `options` are those of the command line that ask for it.
    """

    name: str
    event_type: str
    data: Any
    options: tuple[str, ...]
    scheduled: str | None = None  # the flow whose schedule is due

    def replay(self, seed: int) -> str:
        """The command that plays a seed once more."""
        return shlex.join(["segue", "simulate", *self.options, "--seed", str(seed), "--trace"])

    def case(self, library: Library) -> Case:
        """The case, with a model that answers as the stand-in does."""
        return Case.revised(
            self.name,
            library,
            self.event_type,
            self.data,
            model=lambda: ScriptedModel(default=answer),
            scheduled=self.scheduled,
            told=tuple(told_of(library)),
            shelved=tuple(self._shelved(library)),
        )

    def _shelved(self, library: Library) -> Iterator[Shelved]:
        """The sample document, where the flow has a collection for it, and it is not its data."""
        named = [library.flows[self.name]] if self.name in library.flows else library.flows.values()
        collections = {name: one for flow in named for name, one in flow.collections.items()}
        path = sample_for(DOCUMENTS)
        sample = json.loads(path.read_bytes()) if path is not None else {}
        if sample.get("collection") in collections and sample != self.data:
            about = {name: sample[name] for name in ("document", "text", "metadata")}
            yield Shelved(collections[sample["collection"]], **about)


@dataclass(frozen=True)
class Asked:
    """The options --flow, --event and --data, as given."""

    flow: str | None = None
    event: str | None = None
    data: str | None = None

    def options(self, flow: str | None) -> tuple[str, ...]:
        """As one would give them for one flow."""
        given = {"--flow": flow, "--event": self.event, "--data": self.data}
        return tuple(
            part for name, text in given.items() if text is not None for part in (name, text)
        )


def subjects(
    asked: Asked, data: bytes | None, library: Library, leave_out: Callable[[str], None]
) -> list[Subject]:
    """One for the flow or event named, else one for each flow that data is found for.

    `leave_out` is told of the others, and why. Raises UsageError.
    """
    if asked.flow is not None and asked.flow not in library.flows:
        known = ", ".join(sorted(library.flows)) or "none"
        raise NoSuchFlowError(f"there is no flow {asked.flow!r}; there are: {known}")
    if asked.flow is not None:
        return [_of_flow(library.flows[asked.flow].flow, asked, data)]
    if asked.event is not None:
        payload = json.loads(data) if data is not None else _sample_for(asked.event, library)
        return [Subject(asked.event, asked.event, payload, asked.options(None))]
    if data is not None:
        raise WhoseDataError("--data is for one flow, and none is named")
    return _all_with_samples(asked, library, leave_out)


def _sample_for(event: str, library: Library) -> Any:
    """Data for the first flow that takes such events and that data can be made up for."""
    for _, version in sorted(library.flows.items()):
        try:
            if version.flow.takes(event):
                return sample_of(version.flow)
        except NoSampleError:
            continue
    raise NoSampleError(f"no flow that takes events {event!r} declares an `input` to make data of")


def _all_with_samples(
    asked: Asked, library: Library, leave_out: Callable[[str], None]
) -> list[Subject]:
    found = []
    for _, version in sorted(library.flows.items()):
        try:
            found.append(_of_flow(version.flow, asked, None))
        except NoSampleError as error:
            leave_out(str(error))
    if not found:
        raise NoSampleError(f"of {len(library.flows)} flows there is none to make data up for")
    return found


def _of_flow(flow: Flow, asked: Asked, data: bytes | None) -> Subject:
    if isinstance(flow.on, ScheduleTrigger):
        return _of_schedule(flow.flow, flow.on.schedule, asked, data)
    if isinstance(flow.on, CallTrigger):
        raise NoSampleError(f"flow {flow.flow!r} is started by name; simulate a flow that calls it")
    of_flow = flow.on.batch.event if isinstance(flow.on, BatchTrigger) else flow.on.event
    event = asked.event or EVENTS.get(flow.flow, of_flow)
    if any(character in event for character in "*?["):
        raise NoSampleError(f"flow {flow.flow!r} takes events {event!r}: name one with --event")
    payload = json.loads(data) if data is not None else sample_of(flow)
    return Subject(flow.flow, event, payload, asked.options(flow.flow))


def _of_schedule(name: str, schedule: Schedule, asked: Asked, data: bytes | None) -> Subject:
    event = asked.event or DUE
    payload = json.loads(data) if data is not None else schedule.data
    return Subject(name, event, payload, asked.options(name), name if event == DUE else None)


def told_of(library: Library) -> Iterator[Told]:
    """What the runs of all flows are told: everything is approved, and every signal is sent."""
    for name, version in library.flows.items():
        for step, declared in version.flow.steps.items():
            if not isinstance(declared, WaitStep) or (signal := declared.signal(step)) is None:
                continue
            match declared.wait:
                case ForApproval(approvers=approvers):
                    by = approvers[0] if approvers else None
                    yield Told(name, signal, {"approved": True}, by)
                case ForSignal(data_schema=schema):
                    data = None if schema is None else _derived(name, schema)
                    yield Told(name, signal, data)


def sample_of(flow: Flow) -> Any:
    """Data that the flow takes: its shipped sample, else one made up from its `input` schema."""
    shipped = sample_for(flow.flow)
    if shipped is not None:
        return json.loads(shipped.read_bytes())
    if flow.input is None:
        raise NoSampleError(f"flow {flow.flow!r} declares no `input` to make data up from")
    return _derived(flow.flow, dict(flow.input))


def _derived(name: str, schema: Mapping[str, Any]) -> Any:
    try:
        data = derive(dict(schema), f"a sample event for {name}")
    except UnderivableSchemaError as error:
        raise NoSampleError(f"flow {name!r}: {error}") from error
    broken = schema_problem(schema, data)
    if broken:
        raise NoSampleError(f"flow {name!r}: the data made up from its `input` {broken}")
    return data
