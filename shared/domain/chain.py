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
from shared.domain.flow import END, Edge, Flow
from shared.errors import ExpressionError


class StepStatus(StrEnum):
    """`pending` is a step whose last attempt was given back.

    Where a run goes on, a failed step is one whose failure its flow provides for.
    """

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

    def __sub__(self, other: Arrivals) -> Arrivals:
        return Arrivals(self.arrived - other.arrived, self.succeeded - other.succeeded)


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
    """What follows when `step` has succeeded, was skipped, or has failed and the run goes on.

    `variables` hold its output, where it has one.
    """
    walk = _Walk(flow, variables)
    walk.leave(step, status)
    return walk.result()


def is_decided(flow: Flow, join: str, total: Arrivals, new: Arrivals | None) -> bool:
    """Whether a join can be fired now that `total` branches have reached it.

    Of the commits that raise the count by `new` exactly one decides it. A repetition (`new` is
    None) cannot tell which one that was, and takes any from then on for it.
    """
    if not _is_enough(flow, join, total):
        return False
    return new is None or not _is_enough(flow, join, total - new)


def _is_enough(flow: Flow, join: str, total: Arrivals) -> bool:
    quorum = flow.quorum(join)
    reached = quorum is not None and total.succeeded >= quorum
    return reached or total.arrived >= flow.width(join)


def fire(flow: Flow, join: str, arrivals: Arrivals, variables: Variables) -> Advance:
    """What follows when `join` is decided; it is skipped where too few branches succeeded.

    The join's own skip, where there is one, is part of `skipped`.
    """
    walk = _Walk(flow, variables)
    if arrivals.succeeded < (flow.quorum(join) or 1):
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
        if status is StepStatus.SUCCEEDED and self._flow.steps[step].finish:
            self._ends = True
            return
        if step in self._flow.leaves:
            self._reach_end(status)
        for edge in self._flow.outgoing[step]:
            succeeds = _succeeds(edge, status)
            if self._flow.is_join(edge.target):
                self._arrive(edge.target, succeeds=succeeds)
            elif succeeds:
                self.decide(edge.target)
            else:
                self.skip(edge.target)

    def _reach_end(self, status: StepStatus) -> None:
        if len(self._flow.leaves) == 1:
            self._ends = True
        else:
            self._arrive(END, succeeds=status is StepStatus.SUCCEEDED)

    def _arrive(self, join: str, *, succeeds: bool) -> None:
        self._arrived[join] += 1
        self._succeeded[join] += succeeds

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
    """Steps whose turn it is: unfinished, and what has reached them lets them go ahead."""
    return tuple(
        name
        for name in flow.steps
        if not _has_passed(statuses.get(name))
        and (name in flow.roots or _is_enough(flow, name, arrivals_at(flow, name, statuses)))
    )


def arrivals_at(flow: Flow, step: str, statuses: Mapping[str, StepStatus]) -> Arrivals:
    """What has reached a step by the statuses of the others; the event counts for a first step."""
    edges = flow.incoming[step]
    if not edges:
        return Arrivals(1, 1)
    passed = [(edge, statuses.get(edge.source)) for edge in edges]
    ended = [(edge, status) for edge, status in passed if status and _has_passed(status)]
    return Arrivals(len(ended), sum(_succeeds(edge, status) for edge, status in ended))


def is_over(flow: Flow, statuses: Mapping[str, StepStatus]) -> bool:
    """Whether the run can end: it has been finished early, or all that leads to its end has."""
    finished = any(
        step.finish and statuses.get(name) is StepStatus.SUCCEEDED
        for name, step in flow.steps.items()
    )
    return finished or all(_has_passed(statuses.get(leaf)) for leaf in flow.leaves)


def _succeeds(edge: Edge, status: StepStatus) -> bool:
    return status is (StepStatus.SUCCEEDED if edge.on == "success" else StepStatus.FAILED)


def _has_passed(status: StepStatus | None) -> bool:
    return status in {StepStatus.SUCCEEDED, StepStatus.SKIPPED, StepStatus.FAILED}
