"""Laws of a run's progress, over random graphs: whatever the order, duplication or crash.

The simulation keeps the step protocol's commits and nothing else: a step's result, skips and join
counts are written at once; what follows is derived from them and may be repeated at any point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.chain import (
    Advance,
    Arrivals,
    StepStatus,
    advance,
    arrivals_at,
    fire,
    frontier,
    start,
)
from shared.domain.flow import END, Flow

OK, SKIPPED = StepStatus.SUCCEEDED, StepStatus.SKIPPED
OPENING = "$open"
Handler = Iterator[None]


@dataclass(frozen=True)
class Case:
    """A flow, and what each step's `when` will say."""

    flow: Flow
    holds: dict[str, bool]

    @property
    def variables(self) -> dict[str, Any]:
        return {"event": {"data": self.holds}}

    def runs(self, step: str) -> bool:
        """The law in one line: at least one need succeeded, and `when` holds."""
        needs = self.flow.steps[step].needs
        return self.holds[step] and (not needs or any(self.runs(need) for need in needs))

    @property
    def outcome(self) -> dict[str, StepStatus]:
        return {step: OK if self.runs(step) else SKIPPED for step in self.flow.steps}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.integers(1, 12))
    names = [f"s{number}" for number in range(count)]
    steps = {
        name: {
            "action": "log.write",
            "with": {"message": "m"},
            "when": f"event.data.{name}",
            "needs": draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=3))
            if at
            else [],
        }
        for at, name in enumerate(names)
    }
    declared = {"flow": "f", "on": {"event": "t"}, "steps": steps}
    likely = st.sampled_from([True, True, True, False])
    return Case(Flow.model_validate(declared), {name: draw(likely) for name in names})


class ConflictError(Exception):
    """A commit met what an earlier delivery had committed."""


@dataclass
class Simulation:
    """One run. Handlers are cut into pieces, which any other handler may come between."""

    case: Case
    random: Random
    crashes: int = 0
    duplicates: int = 0
    statuses: dict[str, StepStatus] = field(default_factory=dict)
    arrived: Counter[str] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    finishes: int = 0
    ends: int = 0
    queue: list[str] = field(default_factory=lambda: [OPENING])
    active: list[tuple[str, Handler]] = field(default_factory=list)

    # -- what is stored ---------------------------------------------------------------------

    def commit(self, results: dict[str, StepStatus], plan: Advance) -> dict[str, Arrivals]:
        new = {**results, **dict.fromkeys(plan.skipped, SKIPPED)}
        if new.keys() & self.statuses.keys():
            raise ConflictError
        self.statuses.update(new)
        self.decided.update(new.keys())
        for join, arrivals in plan.arrivals.items():
            self.arrived[join] += arrivals.arrived
            self.succeeded[join] += arrivals.succeeded
        return self.stored(plan)

    def stored(self, plan: Advance) -> dict[str, Arrivals]:
        return {join: Arrivals(self.arrived[join], self.succeeded[join]) for join in plan.arrivals}

    def finish(self) -> None:
        self.finishes += 1
        self.ends += self.ends == 0  # the run's document takes one end

    # -- handlers ---------------------------------------------------------------------------

    def handle(self, message: str) -> Handler:
        flow, variables = self.case.flow, self.case.variables
        if message == OPENING:
            plan, results = start(flow, variables), {}
            is_done = OPENING in self.decided
        else:
            plan, results = advance(flow, message, OK, variables), {message: OK}
            is_done = message in self.statuses
        if is_done:
            totals = self.stored(plan)
        else:
            totals = self.commit(results, plan)
            self.decided[OPENING] |= 1
            if plan.ends:
                self.finish()
        yield
        yield from self.follow(plan, totals)

    def follow(self, plan: Advance, totals: dict[str, Arrivals]) -> Handler:
        assert not plan.refused
        for step in plan.ready:
            self.sent[step] += 1
            self.queue.append(step)
            yield
        for join in plan.arrivals:
            assert totals[join].arrived <= self.case.flow.width(join)
            if totals[join].arrived == self.case.flow.width(join):
                yield from self.fire(join, totals[join])

    def fire(self, join: str, total: Arrivals) -> Handler:
        needs = self.case.flow.leaves if join == END else self.case.flow.steps[join].needs
        assert all(need in self.statuses for need in needs)
        self.fired[join] += 1
        if join == END:
            self.finish()
            return
        plan = fire(self.case.flow, join, total, self.case.variables)
        totals: dict[str, Arrivals] = {}
        if plan.skipped:
            try:
                totals = self.commit({}, plan)
            except ConflictError:
                totals = self.stored(plan)
        yield
        yield from self.follow(plan, totals)
        if plan.ends:
            self.finish()

    # -- the world --------------------------------------------------------------------------

    def run(self) -> Simulation:
        while self.step():
            pass
        return self

    def step(self) -> bool:
        """Something happens, drawn at random, while there is anything that can."""
        if self.queue and (not self.active or self.random.random() < 0.5):
            self.take()
        elif self.active:
            self.go_on()
        else:
            return False
        return True

    def take(self) -> None:
        message = self.queue.pop(self.random.randrange(len(self.queue)))
        if self.duplicates and self.random.random() < 0.3:
            self.duplicates -= 1
            self.queue.append(message)
        self.active.append((message, self.handle(message)))

    def go_on(self) -> None:
        at = self.random.randrange(len(self.active))
        message, handler = self.active[at]
        if self.crashes and self.random.random() < 0.3:
            self.crashes -= 1
            self.queue.append(message)  # not acknowledged: delivered again
            del self.active[at]
            return
        try:
            next(handler)
        except StopIteration:
            del self.active[at]


randoms = st.randoms(use_true_random=False)


@given(cases(), randoms)
def test_every_step_is_decided_once_and_runs_iff_a_need_succeeded_and_its_condition_holds(
    case: Case, random: Random
) -> None:
    run = Simulation(case, random).run()
    assert run.statuses == case.outcome
    assert {step: run.decided[step] for step in case.flow.steps} == dict.fromkeys(
        case.flow.steps, 1
    )
    assert run.sent == Counter(step for step, status in case.outcome.items() if status is OK)


@given(cases(), randoms)
def test_every_join_fires_once_and_the_end_is_reached_once(case: Case, random: Random) -> None:
    run = Simulation(case, random).run()
    joins = [step for step in case.flow.steps if case.flow.is_join(step)]
    joins += [END] if len(case.flow.leaves) > 1 else []
    assert run.fired == Counter(joins)
    assert (run.finishes, run.ends) == (1, 1)


@given(cases(), randoms, st.integers(0, 8), st.integers(0, 8))
def test_duplicates_and_crashes_change_nothing_but_the_number_of_messages(
    case: Case, random: Random, crashes: int, duplicates: int
) -> None:
    run = Simulation(case, random, crashes, duplicates).run()
    assert run.statuses == case.outcome
    assert max(run.decided.values()) == 1
    assert run.ends == 1
    assert set(run.sent) == {s for s, status in case.outcome.items() if status is OK}


@given(cases(), randoms)
def test_join_counts_end_at_the_joins_width(case: Case, random: Random) -> None:
    run = Simulation(case, random, crashes=3, duplicates=3).run()
    for join in run.arrived:
        needs = case.flow.leaves if join == END else case.flow.steps[join].needs
        assert run.arrived[join] == case.flow.width(join) == len(needs)
        assert run.succeeded[join] == sum(case.outcome[need] is OK for need in needs)


@given(cases(), randoms)
def test_between_messages_the_frontier_is_what_is_on_its_way(case: Case, random: Random) -> None:
    run = Simulation(case, random)
    while run.queue:
        for _ in run.handle(run.queue.pop(random.randrange(len(run.queue)))):
            pass
        found = frontier(case.flow, run.statuses)
        assert sorted(found) == sorted(run.queue)
        assert (not found) is (run.statuses.keys() == case.flow.steps.keys())


@given(cases(), randoms, randoms)
def test_every_order_ends_the_same(case: Case, one: Random, other: Random) -> None:
    first = Simulation(case, one, crashes=2, duplicates=2).run()
    second = Simulation(case, other).run()
    assert first.statuses == second.statuses
    assert first.arrived == second.arrived
    assert first.succeeded == second.succeeded


@given(cases(), randoms)
def test_at_any_moment_the_frontier_is_empty_exactly_when_all_steps_are_final(
    case: Case, random: Random
) -> None:
    run = Simulation(case, random, crashes=3, duplicates=3)
    while run.step():
        is_over = run.statuses.keys() == case.flow.steps.keys()
        assert (not frontier(case.flow, run.statuses)) is is_over


@given(cases(), randoms, st.lists(st.integers(1, 20), max_size=4))
def test_a_run_cut_off_anywhere_goes_on_from_its_frontier(
    case: Case, random: Random, cuts: list[int]
) -> None:
    """As a redrive does: all messages are lost, and what is recorded is all there is."""
    run = Simulation(case, random)
    while OPENING not in run.decided:
        run.step()
    for cut in cuts:
        for _ in range(cut):
            run.step()
        run.queue, run.active = [], []
        for step in frontier(case.flow, run.statuses):
            arrivals = arrivals_at(case.flow, step, run.statuses)
            run.active.append((step, run.fire(step, arrivals)))
        if not frontier(case.flow, run.statuses):
            run.finish()
    run.run()
    assert run.statuses == case.outcome
    assert max(run.decided.values()) == 1
    assert run.ends == 1
