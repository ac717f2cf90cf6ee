"""What breaks the graph of a flow is noticed: a step that should not run, or not be skipped."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.envelope import Message
from shared.testing.simulator.endings import Expected, check_endings
from shared.testing.simulator.engine import Change
from shared.testing.simulator.invariants import Watch
from tests.functional.system import flow

JOIN = flow(
    """
    a: {call: test.echo}
    b: {call: test.echo}
    c: {needs: [a, b], call: test.echo}
    """
)
FAILS = flow(
    """
    a: {call: test.echo, on_error: {goto: d}}
    b: {call: test.echo, on_error: continue}
    c: {needs: [a, b], join: any, call: test.echo}
    d: {call: test.echo}
    """
)
RUN: dict[str, Any] = {
    "flow": "thing",
    "flow_version": JOIN.version,
    "event_key": "e1",
    "correlation_id": "s1",
    "status": "running",
    "redrives": 0,
    "outputs": None,
    "error": None,
}
STEP: dict[str, Any] = {"status": "running", "output": None}
DONE = {**STEP, "status": "succeeded"}
SKIPPED = {**STEP, "status": "skipped"}
FELL = {**STEP, "status": "failed", "error": {"code": "ActionFailed", "message": "no"}}
HANDLED = {**FELL, "handled": True}


def watched(run: dict[str, Any], steps: dict[str, Any]) -> Watch:
    watch = Watch({version.version: version for version in (JOIN, FAILS)})
    for path, after in {"runs/r1": run, **steps}.items():
        watch.changed(Change(path, watch.documents.get(path), after))
    return watch


def named(**steps: Any) -> dict[str, Any]:
    return {f"runs/r1/steps/{name}": step for name, step in steps.items()}


@pytest.mark.parametrize(
    ("found", "broken"),
    [
        ({}, []),
        ({"c": SKIPPED}, ["graph"]),
        ({"a": SKIPPED}, ["graph"]),
        ({"b": STEP}, ["graph"]),
        ({"c": STEP}, ["graph"]),
        ({"b": FELL}, ["graph"]),
        ({"b": HANDLED}, []),
    ],
)
def test_steps_must_end_as_the_graph_says(found: dict[str, Any], broken: list[str]) -> None:
    steps = {**dict.fromkeys("abc", DONE), **found}
    watch = watched({**RUN, "status": "succeeded"}, named(**steps))
    check_endings(watch, (), Expected(None, (), frozenset()))
    names = [violation.invariant for violation in watch.violations]
    assert sorted(set(names)) == broken


@pytest.mark.parametrize(
    ("found", "sent", "broken"),
    [
        ({}, "c", ["join-once", "join-once"]),
        ({"a": DONE}, "c", []),
        ({"a": STEP, "b": DONE}, "c", []),
        ({"a": HANDLED}, "c", ["join-once"]),
        ({"a": HANDLED}, "d", []),
        ({"a": FELL}, "d", ["join-once"]),
    ],
)
def test_a_step_is_sent_when_its_branches_let_it_go(
    found: dict[str, Any], sent: str, broken: list[str]
) -> None:
    watch = watched({**RUN, "flow_version": FAILS.version}, named(**found))
    watch.published("act", Message(b"x", {"segue-run": "r1", "segue-step": sent}), "1")
    assert [violation.invariant for violation in watch.violations] == broken


def test_a_failure_that_is_provided_for_is_a_result() -> None:
    watch = watched(RUN, named(a=HANDLED))
    watch.changed(Change("runs/r1/steps/a", HANDLED, {**STEP, "status": "pending"}))
    assert [violation.invariant for violation in watch.violations] == ["result-once"]
