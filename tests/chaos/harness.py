"""Runs a case under the misfortune of a seed and says which guarantees were broken."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from random import Random
from typing import Any

from shared.delivery import crashpoints
from shared.delivery.redrive import redrive
from shared.domain.envelope import Message
from shared.domain.records import DeadLetterRecord, RunRecord, StepRecord
from shared.errors import Conflict, Transient
from shared.runtime.stage_table import read_stages
from shared.testing.faults import (
    Faults,
    FaultyBus,
    FaultyEffects,
    FaultyModel,
    FaultyStore,
    Odds,
)
from shared.testing.memory import ManualClock, RecordingEffects, ScriptedModel
from shared.testing.pipeline import Crash, Manners, Pipeline, World
from tests.chaos.cases import CASES, Case
from tests.chaos.perils import Perilous, Perils, Weather, weather_of
from tests.chaos.watch import WatchedBus, WatchedStore
from tests.functional import calls
from tests.functional.system import HANDLERS, echoing

Result = dict[str, Any]
GARBAGE = b"\x00 no message of any stage"
EVENTS = ("e1", "e2")
CALM = Weather(Odds(), 0, 0.0, 0, 1, 0.0, 0.0, 1, Manners())
_MOST_ROUNDS = 5_000


class Trial:
    """One case in one weather."""

    def __init__(self, case: Case, seed: int, weather: Weather) -> None:
        self.case = case
        self.weather = weather
        self.random = Random(seed)
        self.clock = ManualClock()
        self.store = WatchedStore(case.library.flows)
        self.bus = WatchedBus(self.store, case.library.flows)
        self.model = ScriptedModel(case.answers, default=echoing)
        self.faults = {kind: self._faults() for kind in ("store", "bus", "model", "effects")}
        self.redriven = 0
        self.perils = Perils(self.random, weather, self.clock)
        self.world = self._world()
        stages = read_stages().stages
        self.pipeline = Pipeline(self.world, stages, HANDLERS, seed=seed, manners=weather.manners)

    def _faults(self) -> Faults:
        return Faults(self.random, self.weather.faults, most=self.weather.most_faults)

    def _world(self) -> World:
        perils, faults = self.perils, self.faults
        return World(
            self.case.library,
            documents=self.store,
            messages=self.bus,
            clock=self.clock,
            model=Perilous(FaultyModel(self.model, faults["model"]), perils),
            effects=Perilous(FaultyEffects(RecordingEffects(), faults["effects"]), perils),
            store=Perilous(FaultyStore(self.store, faults["store"]), perils),
            bus=Perilous(FaultyBus(self.bus, faults["bus"]), perils),
        )

    async def play(self) -> list[str]:
        """Publishes, delivers, cures, redrives; returns every broken guarantee."""
        calls.BROKEN.clear()
        calls.BROKEN.update(self.case.fails)
        crashpoints.arm(self.perils.at)
        try:
            await self._publish()
            if self.case.hurried:
                self.perils.tick = self._tick
            await self._deliver()
            self.perils.tick = None
            if self.case.fails:
                self._all_failed()
            await self._cure()
        except AssertionError as error:  # messages go round for ever
            return [*self.store.violations, str(error)]
        finally:
            crashpoints.arm(None)
            calls.BROKEN.clear()
        return self._violations()

    async def _publish(self) -> None:
        garbage_for = self.random.choice(("compose", "generate", "act"))
        await self.bus.publish(garbage_for, [Message(GARBAGE)])
        data = json.dumps(self.case.data).encode()
        for event_id in EVENTS:
            for _ in range(self.weather.publications):
                attributes = {"ce-type": self.case.event_type, "ce-id": event_id}
                await self.bus.publish("events", [Message(data, attributes)])

    async def _deliver(self) -> None:
        await self.pipeline.run(most=_MOST_ROUNDS)

    async def _cure(self) -> None:
        """As an operator would: the cause goes away, then every failed run is redriven."""
        calls.BROKEN.clear()
        failed = [run for run in self.records("runs", RunRecord) if self._may_be_redriven(run)]
        self.redriven = len(failed)
        for run in failed:
            await self._redrive(run.run_id)
        await self._deliver()

    def _may_be_redriven(self, run: RunRecord) -> bool:
        late = run.error is not None and run.error.code == "RunTimeout"
        return bool(self.case.fails) or (self.case.hurried and late)

    async def _tick(self) -> None:
        await self.bus.publish("sweep", [Message(b"")])

    def _all_failed(self) -> None:
        for run in self.records("runs", RunRecord):
            letters = [one for one in self.letters() if one.run_id == run.run_id]
            if run.status != "failed" or not letters:
                self.store.violations.append(f"{run.run_id} is {run.status}, letters {letters}")

    async def _redrive(self, run_id: str) -> None:
        for _ in range(60):
            with suppress(Crash, Transient, Conflict):
                await redrive(run_id, self.pipeline.deps("sweep"))
                return
        self.store.violations.append(f"{run_id} could not be redriven")

    # -- what is left behind ----------------------------------------------------------------

    def records(self, collection: str, kind: Any) -> list[Any]:
        return [
            kind.of(document.data)
            for path, document in sorted(self.store.documents.items())
            if path.startswith(f"{collection}/") and path.count("/") == 1
        ]

    def letters(self) -> list[DeadLetterRecord]:
        return self.records("dead_letters", DeadLetterRecord)

    def results(self) -> dict[str, Result]:
        """By run: how it ended, and how each of its steps did."""
        return {
            run.run_id: {
                "status": run.status,
                "outputs": run.outputs,
                "steps": {name: (one.status, one.output) for name, one in self._steps(run.run_id)},
            }
            for run in self.records("runs", RunRecord)
        }

    def _steps(self, run_id: str) -> list[tuple[str, StepRecord]]:
        prefix = f"runs/{run_id}/steps/"
        return [
            (path.removeprefix(prefix), StepRecord.of(document.data))
            for path, document in sorted(self.store.documents.items())
            if path.startswith(prefix)
        ]

    # -- guarantees -------------------------------------------------------------------------

    def _violations(self) -> list[str]:
        return [
            *self.store.violations,
            *self._events(),
            *self._differences(),
            *self._joins(),
            *self._dead_letters(),
            *self._model_calls(),
            *self._crashes(),
        ]

    def _events(self) -> list[str]:
        stored = {path for path in self.store.documents if path.startswith("events/")}
        wanted = {f"events/{event_id}" for event_id in EVENTS}
        return [] if stored == wanted else [f"events stored: {stored}"]

    def _differences(self) -> list[str]:
        """Runs and outputs are those of a world where nothing goes wrong."""
        expected, found = undisturbed(self.case), self.results()
        return [
            f"{run_id} is {found.get(run_id)}, undisturbed it is {expected.get(run_id)}"
            for run_id in sorted(expected.keys() | found.keys())
            if expected.get(run_id) != found.get(run_id)
        ]

    def _joins(self) -> list[str]:
        flows = self.case.library.flows
        short = []
        for run in self.records("runs", RunRecord):
            flow = flows[run.flow].flow
            for path, join in self.store.documents.items():
                if not path.startswith(f"runs/{run.run_id}/joins/"):
                    continue
                if join.data["arrived"] != flow.width(join.name):
                    short.append(f"{path} counts {join.data['arrived']}")
        return short

    def _dead_letters(self) -> list[str]:
        """The garbage is kept with its bytes, and so is what stopped a doomed run; no more."""
        problems = [f"parked: {message}" for message in self.pipeline.parked]
        garbage = [one for one in self.letters() if one.data == GARBAGE]
        others = [one for one in self.letters() if one.data != GARBAGE]
        if len(garbage) != 1 or garbage[0].error.code != "MessageInvalid":
            problems.append(f"{len(garbage)} letters for one message of garbage")
        for letter in others:
            if letter.step not in self.case.fails or letter.error.code != "ActionFailed":
                problems.append(f"a letter of {letter.step}: {letter.error}")
            elif letter.status != "redriven":
                problems.append(f"letter {letter.letter_id} is still open")
        return problems

    def _model_calls(self) -> list[str]:
        """One a step, and one more for each attempt that was cut down."""
        asked = Counter(
            (one.labels["segue-run"], one.labels["segue-step"]) for one in self.model.calls
        )
        excused = self._cut_down()
        excess = sum(max(times - 1 - excused[step], 0) for step, times in asked.items())
        allowed = self.faults["model"].injected["repeated"] + self.perils.slow
        return [f"{excess} model calls too many: {asked}, {excused}"] if excess > allowed else []

    def _cut_down(self) -> Counter[tuple[str, str]]:
        cut = Counter(
            (report.labels["run_id"], report.labels["step"])
            for report in self.world.telemetry.reports
            if report.stage == "generate"
            and report.disposition == "nack"
            and (report.error is None or report.error.code != "ClaimLost")
            and "step" in report.labels
        )
        for waiting in (*self.pipeline.cut_down, *self.pipeline.overtaken):
            names = waiting.message.attributes
            if waiting.stage == "generate" and "segue-step" in names:
                cut[names["segue-run"], names["segue-step"]] += 1
        return cut

    def _crashes(self) -> list[str]:
        """Nothing but what a test breaks on purpose may be a defect."""
        return [
            f"{one.stage} met a defect: {one.details.get('stack_trace')}"
            for one in self.world.telemetry.reports
            if one.outcome == "crashed"
        ]


async def trial_of(seed: int) -> Trial:
    """What a seed stands for: a case and its weather."""
    case = CASES[seed % len(CASES)]
    await calm(case)
    return Trial(case, seed, weather_of(Random(seed)))


async def violations_of(seed: int) -> list[str]:
    """The guarantees that a seed breaks."""
    return await (await trial_of(seed)).play()


_UNDISTURBED: dict[str, dict[str, Result]] = {}


def undisturbed(case: Case) -> dict[str, Result]:
    """How the case ends where nothing goes wrong."""
    return _UNDISTURBED[case.name]


async def calm(case: Case) -> None:
    """Finds out how the case ends where nothing goes wrong, once."""
    if case.name not in _UNDISTURBED:
        trial = Trial(case, 0, CALM)
        _UNDISTURBED[case.name] = {}
        await trial.play()
        _UNDISTURBED[case.name] = trial.results()
        assert trial._violations() == []
        assert {one["status"] for one in trial.results().values()} == {"succeeded"}
