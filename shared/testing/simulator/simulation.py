"""One case in one weather, from the first event until all is quiet, and what was broken meanwhile.

The same case and seed tell the same story. Must not know any engine nor any stage's code.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.delivery import crashpoints
from shared.domain.records import run_path
from shared.domain.step import FlowStep
from shared.testing.simulator.case import Case
from shared.testing.simulator.endings import Ending, Expected, check_endings, endings_of, records
from shared.testing.simulator.engine import Platform
from shared.testing.simulator.guarantees import Violation
from shared.testing.simulator.meddling import Meddler
from shared.testing.simulator.operator import EVENTS, Operator
from shared.testing.simulator.people import People
from shared.testing.simulator.scene import Scene
from shared.testing.simulator.story import Story
from shared.testing.simulator.virtual_loop import VirtualLoop, run
from shared.testing.simulator.weather import CALM, Outage, Weather, weather_of

_LOOK = 5.0, 120.0  # seconds between two looks whether all is quiet: at first, and at most
_HORIZON = 86_400.0  # seconds after which what still goes round never ends
_MOST_DELIVERIES = 20_000
_ROUNDS = 100  # of redriving: misfortune may strike each time, but it ends
_FAIR_ROUNDS = 5  # where none strikes: what fails then fails for good
# How misfortune ends a step or a run for good: by itself, and by what it makes others say.
_TIMEOUT = "RunTimeout"
_EXHAUSTED = frozenset({"StepTimeout"})
_PASSING = frozenset({"EffectUnavailable", "ModelUnreachable", "StageBudget"})
_SAID = {
    "model refuses": "ModelRefused",
    "nonsense": "OutputInvalid",
    "rejection": "ActionFailed",
    "outage": "DeliveriesExhausted",
}


@dataclass(frozen=True)
class Verdict:
    """What a simulation came to. `seconds` are virtual; `endings` are of all runs, by id."""

    case: str
    seed: int
    violations: tuple[Violation, ...]
    story: Story
    statistics: Counter[str]
    seconds: float
    endings: Mapping[str, Ending]


class Simulation:
    """Plays once, in the seed's weather unless another is given.

    `endings` are those of a calm simulation of the case; without them none are compared. Where a
    flow's own functions answer differently each time, `exact` leaves outputs out of it.
    """

    def __init__(
        self,
        case: Case,
        seed: int,
        platform: Platform,
        *,
        weather: Weather | None = None,
        endings: Mapping[str, Ending] | None = None,
        exact: bool = True,
    ) -> None:
        self._case = case
        self._seed = seed
        self._platform = platform
        self._weather = weather or weather_of(seed)
        self._endings = endings
        self._exact = exact

    def play(self) -> Verdict:
        """The verdict. Must be called outside of any event loop."""
        return run(self._play)

    async def _play(self, loop: VirtualLoop) -> Verdict:
        scene = Scene(loop, self._case, self._platform, self._seed, self._weather)
        operator = Operator(self._case, scene.engine, scene.fate, scene.operators_deps)
        crashpoints.arm(scene.fate.at)
        self._case.mend(False)
        await scene.fill()
        scene.open()
        meddler = Meddler(scene.engine.bus, scene.fate)
        people = People(self._case, scene.engine, scene.fate)
        around = [
            loop.create_task(operator.sweep(scene.watch)),
            loop.create_task(people.tell(scene.watch)),
            loop.create_task(people.decide(scene.watch)),
            loop.create_task(meddler.meddle(scene.watch)),
            loop.create_task(_deploy(scene)),
        ]
        try:
            settled = await self._tell(scene, operator, meddler)
        finally:
            crashpoints.arm(None)
            self._case.mend(True)
            for task in around:
                task.cancel()
                if task.done():
                    task.result()  # raises what ended it before its time
        self._look_back(scene, operator, settled=settled)
        return self._verdict(scene, operator)

    async def _tell(self, scene: Scene, operator: Operator, meddler: Meddler) -> bool:
        """Publish, work, mend what was doomed, redrive what failed. False where it never ends."""
        await operator.publish()
        settled = await _settle(scene, meddler)
        if settled:
            _require_ended(scene, doomed=bool(self._case.doomed))
        self._case.mend(True)
        rounds = min(self._weather.most + _FAIR_ROUNDS, _ROUNDS)
        for number in range(rounds):
            if not settled:
                break
            if number == rounds - _FAIR_ROUNDS:
                await _outlast(self._weather.outage)
            again = await operator.redrive_failed(scene.watch)
            if not again + await meddler.resume_paused(scene.watch):
                break
            settled = await _settle(scene, meddler)
            if again and settled and await meddler.resume_paused(scene.watch):
                settled = await _settle(scene, meddler)  # a redriven pause counts anew
            _require_ended(scene, doomed=False)
        return settled

    def _look_back(self, scene: Scene, operator: Operator, *, settled: bool) -> None:
        if settled:
            spoken = {code for what, code in _SAID.items() if scene.fate.met[what]}
            doomed = {"ActionFailed"} if self._case.doomed or self._case.fails else set()
            own = _own_policies(self._case) | _told_of_children(self._case)
            letters = frozenset(_EXHAUSTED | spoken | doomed | own)
            expected = Expected(
                self._endings, operator.garbage, letters, exact=self._exact, fails=self._case.fails
            )
            check_endings(scene.watch, scene.dispatcher.works, expected)
        for told in self._case.had_twice():
            scene.watch.note("effects", told)
        if scene.engine.parked():
            scene.watch.note("settles", f"{scene.engine.parked()} messages nobody could take")

    def _verdict(self, scene: Scene, operator: Operator) -> Verdict:
        counts = Counter(scene.fate.met)
        counts.update(f"error {one.error.code}" for one in scene.reports if one.error)
        counts["deliveries"] = len(scene.dispatcher.works)
        counts["model calls"] = len(scene.watch.calls.models)
        counts["redriven"] = operator.redriven
        return Verdict(
            case=self._case.name,
            seed=self._seed,
            violations=tuple(scene.watch.violations),
            story=scene.story,
            statistics=+counts,
            seconds=scene.loop.time(),
            endings=endings_of(scene.watch.documents),
        )


def calm(case: Case, platform: Platform, seed: int = 0, *, events: int = len(EVENTS)) -> Verdict:
    """The case where nothing goes wrong: its `endings` are what every weather must come to."""
    return Simulation(case, seed, platform, weather=replace(CALM, events=events)).play()


def _own_policies(case: Case) -> frozenset[str]:
    """What fails a step for good whose flow says how often it is tried, and else would not."""
    steps = [step for each in case.library.flows.values() for step in each.flow.steps.values()]
    undoings = [step.compensate for step in steps if step.compensate is not None]
    has_policy = any(step.retry is not None or step.fallback is not None for step in steps)
    is_limited = has_policy or any(undoing.retry is not None for undoing in undoings)
    return _PASSING if is_limited else frozenset()


def _told_of_children(case: Case) -> frozenset[str]:
    """What steps fail of whose children have failed, or were cancelled with their parents."""
    steps = [step for each in case.library.flows.values() for step in each.flow.steps.values()]
    has_children = any(isinstance(step, FlowStep) for step in steps)
    return frozenset({"ChildFailed", "ChildCancelled"}) if has_children else frozenset()


async def _outlast(outage: Outage | None) -> None:
    """What is redriven while a service is out fails once more, however often that is done."""
    if outage is not None:
        left = outage.start + outage.length - asyncio.get_running_loop().time()
        await asyncio.sleep(max(left, 0.0))


async def _settle(scene: Scene, meddler: Meddler) -> bool:
    """Whether everything is processed within a day and a bounded number of deliveries."""
    until = scene.loop.time() + _HORIZON
    pause, most = _LOOK
    while not (scene.is_quiet and meddler.is_through):
        made = len(scene.dispatcher.works)
        if scene.loop.time() > until or made > _MOST_DELIVERIES:
            scene.watch.note("settles", f"messages still go round after {made} deliveries")
            return False
        await asyncio.sleep(pause)
        pause = min(2 * pause, most)
    return True


async def _deploy(scene: Scene) -> None:
    if scene.weather.deploys or scene.case.relabels:
        await asyncio.sleep(scene.fate.seconds(0, 20 * scene.weather.latency + 1))
        await scene.deploy()


def _require_ended(scene: Scene, *, doomed: bool) -> None:
    """Each run has ended, a doomed one as failed, or its event has become a letter before it could.

    Then nothing but the operator can set it going: a run that is left running is forgotten, and so
    is one that failed, other than by its deadline, without an open letter.
    """
    documents = scene.watch.documents
    letters = [each for _, each in records(documents, "dead_letters") if each["status"] == "open"]
    if any(letter["stage"] == "route" for letter in letters):
        return
    told = {letter["run_id"] for letter in letters}
    for letter in letters:
        run = documents.get(run_path(letter["run_id"])) if letter["run_id"] else None
        if run is not None and run["redrives"] > letter["redrives"]:
            scene.watch.note("dead-letters", f"{letter['letter_id']} is open, its run redriven")
    for run_id, run in records(documents, "runs"):
        status = run["status"]
        stays = status in {"running", "waiting"}
        if stays or (doomed and status not in {"failed", "cancelled"}):
            scene.watch.note("settles", f"{run_id} is {status} when all is quiet")
        error = run["error"]
        if status == "failed" and error["code"] != _TIMEOUT and run_id not in told:
            scene.watch.note("dead-letters", f"{run_id} failed without an open letter: {error}")
