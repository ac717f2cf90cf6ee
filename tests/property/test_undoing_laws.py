"""Laws of undoing: each that has succeeded, once, in reverse order, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain import chain
from shared.domain.chain import Arrivals, StepStatus
from shared.domain.undoing import PREFIX, Done, undoing_of
from shared.domain.version import FlowVersion

THEN = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = [f"s{n}" for n in range(8)]
ends = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 5), min_size=1)


def version(may_fail: frozenset[str] = frozenset()) -> FlowVersion:
    steps = {
        name: {
            "call": "c",
            "compensate": {"call": "u", "on_error": "continue" if name in may_fail else "fail"},
        }
        for name in NAMES
    }
    return FlowVersion.model_validate({"flow": {"flow": "f", "on": "call", "steps": steps}})


def done_of(seconds: dict[str, int]) -> list[Done]:
    return [Done(name, THEN + timedelta(seconds=after)) for name, after in seconds.items()]


@given(ends)
def test_each_is_undone_once_and_what_ended_later_before_what_ended_earlier(
    seconds: dict[str, int],
) -> None:
    undoing = undoing_of(version(), done_of(seconds), {})
    assert undoing is not None
    order = [name.removeprefix(PREFIX) for name in undoing.flow.steps]
    assert sorted(order) == sorted(seconds)
    times = [seconds[name] for name in order]
    assert times == sorted(times, reverse=True)


@given(ends, st.frozensets(st.sampled_from(NAMES)), st.frozensets(st.sampled_from(NAMES)))
def test_a_failure_stops_the_rest_unless_it_may_be_passed_over(
    seconds: dict[str, int], may_fail: frozenset[str], fails: frozenset[str]
) -> None:
    """The chain run by nothing but the rules of all flows."""
    undoing = undoing_of(version(may_fail), done_of(seconds), {})
    assert undoing is not None
    flow, ran = undoing.flow, []
    [turn], ends_run = flow.roots, False
    while turn is not None:
        ran.append(turn)
        undone = turn.removeprefix(PREFIX)
        failed = undone in fails
        if failed and undone not in may_fail:
            break
        status = StepStatus.FAILED if failed else StepStatus.SUCCEEDED
        plan = chain.advance(flow, turn, status, {})
        ends_run = plan.ends
        joins = dict(plan.arrivals)
        for join, arrivals in joins.items():
            assert chain.is_decided(flow, join, arrivals, arrivals)
            plan = chain.fire(flow, join, Arrivals(arrivals.arrived, arrivals.succeeded), {})
        turn = plan.ready[0] if plan.ready else None
    order = list(flow.steps)
    stop = [at for at, name in enumerate(order) if name.removeprefix(PREFIX) in fails - may_fail]
    assert ran == (order[: stop[0] + 1] if stop else order)
    assert ends_run is not bool(stop)
