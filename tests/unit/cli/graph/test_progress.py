"""A run on the graph of its flow: what became of nodes, and the ways it took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.cli.graph.model import END, START, Graph, Way
from shared.cli.graph.progress import with_run
from shared.cli.graph.reading import graph_of
from shared.domain.version import FlowVersion

Reports = Callable[..., dict[str, Any]]
Flows = Callable[..., FlowVersion]


def ways(graph: Graph, *, taken: bool | None) -> set[tuple[str, str]]:
    return {(link.source, link.target) for link in graph.links if link.taken is taken}


def test_a_run_that_ended_early_shows_the_way_it_took(
    branching: FlowVersion, reports: Reports
) -> None:
    statuses = {"check": "succeeded", "pay": "failed", "fix": "succeeded", "gift": "skipped"}
    report = reports(branching, {**statuses, "tell": "succeeded"}, "succeeded")
    drawn = with_run(graph_of(branching), report)
    assert ways(drawn, taken=True) == {
        (START, "check"),
        ("check", "pay"),
        ("pay", "fix"),
        ("fix", "tell"),
        ("tell", END),
    }
    assert ways(drawn, taken=None) == set()
    states = {node.name: node.state.status for node in drawn.nodes if node.state}
    assert (states["gift"], states["rest"], states[END]) == ("skipped", "not reached", "succeeded")


def test_a_success_leaves_the_way_of_a_failure_untaken(
    branching: FlowVersion, reports: Reports
) -> None:
    report = reports(branching, {"check": "succeeded", "pay": "succeeded"}, "running")
    drawn = with_run(graph_of(branching), report)
    assert [link.taken for link in drawn.links if link.way is Way.ERROR] == [False]


def test_what_a_running_run_has_not_decided_is_left_open(
    branching: FlowVersion, reports: Reports
) -> None:
    statuses = {"check": "succeeded", "pay": "running", "gift": "skipped"}
    drawn = with_run(graph_of(branching), reports(branching, statuses, "running"))
    assert ways(drawn, taken=True) == {(START, "check"), ("check", "pay")}
    assert ways(drawn, taken=False) == {("check", "gift"), ("gift", "tell")}


def test_a_run_that_failed_reaches_no_end(flows: Flows, reports: Reports) -> None:
    version = flows({"a": {}, "b": {}})
    report = reports(version, {"a": "succeeded", "b": "failed"}, "failed")
    report["error"] = {"code": "ModelBusy", "message": "busy", "step": "b"}
    drawn = with_run(graph_of(version), report)
    assert ways(drawn, taken=False) == {("a", END), ("b", END)}
    end = drawn.nodes[-1].state
    assert end is not None
    assert (end.status, end.error) == ("failed", "ModelBusy: busy")


@pytest.mark.parametrize(
    ("finished", "told"),
    [
        ("2026-01-01T08:00:00.25Z", "250 ms"),
        ("2026-01-01T08:00:01.5Z", "1.5 s"),
        ("2026-01-01T10:05:00Z", "2 h 05 min"),
        (None, "since 08:00:00Z"),
    ],
)
def test_a_step_tells_how_long_it_took_and_what_it_cost(
    flows: Flows, reports: Reports, finished: str | None, told: str
) -> None:
    version = flows({"a": {}})
    step = {
        "attempts": 2,
        "started_at": "2026-01-01T08:00:00Z",
        "finished_at": finished,
        "tokens": {"input": 1200, "output": 30},
        "cost_usd": 0.5,
    }
    report = reports(version, {"a": "succeeded" if finished else "running"}, "running", a=step)
    state = with_run(graph_of(version), report).nodes[1].state
    assert state is not None
    assert state.told == (f"{told} · 2 tries", "1,200→30 tokens · $0.5")


def test_the_run_is_named_with_its_totals(flows: Flows, reports: Reports) -> None:
    version = flows({"a": {}})
    report = reports(version, {"a": "succeeded"}, "succeeded")
    report["totals"] = {"llm_calls": 1, "tokens": {"input": 7, "output": 3}, "cost_usd": None}
    assert with_run(graph_of(version), report).run == (
        "run f-1",
        "succeeded",
        "2026-01-01 08:00:00 UTC",
        "2.0 s",
        "1 model call",
        "7→3 tokens · unpriced",
    )
