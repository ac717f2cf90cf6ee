"""Random graphs and a run of one: what the laws of `test_chain_laws` are about.

The simulation keeps the step protocol's commits and nothing else: a step's result, skips and join
counts are written at once; what follows is derived from them and may be repeated at any point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any

from hypothesis import strategies as st

from shared.domain.chain import Advance, Arrivals, StepStatus, advance, fire, is_decided, start
from shared.domain.flow import END, Flow

OK, SKIPPED, FAILED = StepStatus.SUCCEEDED, StepStatus.SKIPPED, StepStatus.FAILED
OPENING = "$open"
Handler = Iterator[None]


@dataclass(frozen=True)
class Case:
    """A flow, what each step's `when` will say, and which steps fail if they run."""

    flow: Flow
    holds: dict[str, bool]
    fails: frozenset[str] = frozenset()

    @property
    def variables(self) -> dict[str, Any]:
        return {"event": {"data": self.holds}}

    def ending(self, step: str) -> StepStatus:
        """How a step ends that runs."""
        return FAILED if step in self.fails else OK

    @cached_property
    def outcome(self) -> dict[str, StepStatus]:
        """The law: `when` holds, and as many branches succeed as the join asks for, or one."""
        found: dict[str, StepStatus] = {}
        wanted = {"success": OK, "error": FAILED}
        while len(found) < len(self.flow.steps):
            for step in self.flow.steps:
                edges = self.flow.incoming[step]
                if all(edge.source in found for edge in edges):
                    succeeded = sum(found[edge.source] is wanted[edge.on] for edge in edges)
                    enough = succeeded >= (self.flow.quorum(step) or 1) or not edges
                    runs = enough and self.holds[step]
                    found[step] = self.ending(step) if runs else SKIPPED
        return found

    @property
    def ran(self) -> list[str]:
        return [step for step, status in self.outcome.items() if status is not SKIPPED]


@st.composite
def cases(draw: st.DrawFn, *, finishes: bool = False) -> Case:
    count = draw(st.integers(1, 9))
    names = [f"s{number}" for number in range(count)]
    provisions = {
        name: draw(
            st.sampled_from(["fail", "fail", "continue"])
            | st.sampled_from(names[at + 1 :] or [name]).map(lambda to: {"goto": to})
        )
        for at, name in enumerate(names[:-1])
    }
    steps = {}
    for at, name in enumerate(names):
        needs = draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=3)) if at else []
        jumps = sum(to == {"goto": name} for to in provisions.values())
        steps[name] = {
            "action": "log.write",
            "with": {"message": "m"},
            "when": f"event.data.{name}",
            "needs": needs,
            "join": draw(joins(len(needs) + jumps)),
            "on_error": provisions.get(name, "fail"),
            "finish": finishes and draw(st.integers(0, 4)) == 0,
        }
    declared = {"flow": "f", "on": {"event": "t"}, "steps": steps}
    likely = st.sampled_from([True, True, True, False])
    holds = {name: draw(likely) for name in names}
    failing = {
        name for name in names if provisions.get(name, "fail") != "fail" and draw(st.booleans())
    }
    return Case(Flow.model_validate(declared), holds, frozenset(failing))


def joins(width: int) -> st.SearchStrategy[Any]:
    quorums = st.integers(1, max(width, 1)).map(lambda n: {"n": n})
    return st.sampled_from(["all", "all", "any"]) | quorums


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
            status = self.case.ending(message)
            is_done = message in self.statuses
            if is_done:  # what is recorded has the last word
                status = self.statuses[message]
            plan, results = advance(flow, message, status, variables), {message: status}
        if not is_done:
            self.commit(results, plan)
            self.decided[OPENING] |= 1
            if plan.ends:
                self.finish()
        totals = self.stored(plan)  # as they are at that moment
        yield
        yield from self.follow(plan, totals, repeated=is_done)

    def follow(self, plan: Advance, totals: dict[str, Arrivals], *, repeated: bool) -> Handler:
        assert not plan.refused
        for step in plan.ready:
            self.sent[step] += 1
            self.queue.append(step)
            yield
        for join, new in plan.arrivals.items():
            assert totals[join].arrived <= self.case.flow.width(join)
            if is_decided(self.case.flow, join, totals[join], None if repeated else new):
                yield from self.fire(join, totals[join])

    def fire(self, join: str, total: Arrivals) -> Handler:
        flow = self.case.flow
        if flow.quorum(join) is None or total.succeeded < (flow.quorum(join) or 1):
            edges = () if join == END else flow.incoming[join]
            needs = flow.leaves if join == END else [edge.source for edge in edges]
            assert all(need in self.statuses for need in needs)
        self.fired[join] += 1
        if join == END:
            self.finish()
            return
        plan = fire(self.case.flow, join, total, self.case.variables)
        totals, repeated = {}, False
        if plan.skipped:
            try:
                totals = self.commit({}, plan)
            except ConflictError:
                totals, repeated = self.stored(plan), True
        yield
        yield from self.follow(plan, totals, repeated=repeated)
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
