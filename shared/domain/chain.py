"""How a run goes on when a step has finished: which steps are ready, skipped, or wait for others.

Pure: the same step, status and variables always give the same answer, which is what lets a
redelivered message emit exactly what the first one did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.expressions import Variables, holds
from shared.domain.flow import END, Flow
from shared.errors import ExpressionError


class StepStatus(StrEnum):
    """`pending` is a step whose last attempt was given back."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in {self.SUCCEEDED, self.SKIPPED, self.FAILED, self.CANCELLED}


@dataclass(frozen=True)
class Arrivals:
    """Branches that have reached a join: how many in all, and how many of them succeeded."""

    arrived: int
    succeeded: int


@dataclass(frozen=True)
class Advance:
    """What follows from one finished step."""

    ready: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)  # step -> why its `when` failed
    arrivals: Mapping[str, Arrivals] = field(default_factory=dict)  # join or END -> new arrivals
    ends: bool = False


def start(flow: Flow, variables: Variables) -> Advance:
    """What a new run begins with."""
    walk = _Walk(flow, variables)
    for root in flow.roots:
        walk.decide(root)
    return walk.result()


def advance(flow: Flow, step: str, status: StepStatus, variables: Variables) -> Advance:
    """What follows when `step` has succeeded or was skipped. `variables` hold its output."""
    walk = _Walk(flow, variables)
    walk.leave(step, status)
    return walk.result()


def fire(flow: Flow, join: str, arrivals: Arrivals, variables: Variables) -> Advance:
    """What follows when the last branch has reached `join`; a join of skipped branches is skipped.

    The join's own skip, where there is one, is part of `skipped`.
    """
    walk = _Walk(flow, variables)
    if arrivals.succeeded == 0:
        walk.skip(join)
    else:
        walk.decide(join)
    return walk.result()


class _Walk:
    """Follows skipped steps to the steps behind them until something has to happen or to wait."""

    def __init__(self, flow: Flow, variables: Variables) -> None:
        self._flow = flow
        self._variables = variables
        self._ready: list[str] = []
        self._skipped: list[str] = []
        self._refused: dict[str, str] = {}
        self._arrived: Counter[str] = Counter()
        self._succeeded: Counter[str] = Counter()
        self._ends = False

    def decide(self, step: str) -> None:
        condition = self._flow.steps[step].when
        try:
            if condition is None or holds(condition, self._variables):
                self._ready.append(step)
            else:
                self.skip(step)
        except ExpressionError as error:
            self._refused[step] = f"`when`: {error.detail}"

    def skip(self, step: str) -> None:
        self._skipped.append(step)
        self.leave(step, StepStatus.SKIPPED)

    def leave(self, step: str, status: StepStatus) -> None:
        if step in self._flow.leaves:
            self._reach_end(status)
        for successor in self._flow.successors[step]:
            if self._flow.is_join(successor):
                self._arrive(successor, status)
            elif status is StepStatus.SKIPPED:
                self.skip(successor)
            else:
                self.decide(successor)

    def _reach_end(self, status: StepStatus) -> None:
        if len(self._flow.leaves) == 1:
            self._ends = True
        else:
            self._arrive(END, status)

    def _arrive(self, join: str, status: StepStatus) -> None:
        self._arrived[join] += 1
        self._succeeded[join] += status is StepStatus.SUCCEEDED

    def result(self) -> Advance:
        arrivals = {name: Arrivals(n, self._succeeded[name]) for name, n in self._arrived.items()}
        return Advance(
            ready=tuple(self._ready),
            skipped=tuple(self._skipped),
            refused=self._refused,
            arrivals=arrivals,
            ends=self._ends,
        )


def frontier(flow: Flow, statuses: Mapping[str, StepStatus]) -> tuple[str, ...]:
    """Steps whose turn it is: unfinished, and all they need has finished."""
    done = {name for name, status in statuses.items() if _passed(status)}
    return tuple(
        name
        for name, step in flow.steps.items()
        if name not in done and done.issuperset(step.needs)
    )


def arrivals_at(flow: Flow, step: str, statuses: Mapping[str, StepStatus]) -> Arrivals:
    """What has reached a step of the frontier; the event itself counts for a first step."""
    needs = flow.steps[step].needs
    succeeded = sum(statuses[name] is StepStatus.SUCCEEDED for name in needs)
    return Arrivals(len(needs), succeeded) if needs else Arrivals(1, 1)


def _passed(status: StepStatus) -> bool:
    return status in {StepStatus.SUCCEEDED, StepStatus.SKIPPED}
