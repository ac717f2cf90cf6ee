"""The laws of what outlives a call notice what is wrong with it, and nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from shared.domain.agents.blackboard import READ, WRITE
from shared.domain.envelope import ModelRequest
from shared.domain.model_calls.breaker import breaker_path
from shared.testing.simulator.engine import Change
from shared.testing.simulator.guarantees import GUARANTEES
from shared.testing.simulator.instance import CURRENT, Instance, Work
from shared.testing.simulator.invariants import Watch
from shared.testing.simulator.laws.board import broken_board, is_read
from shared.testing.simulator.laws.rollout import broken_comparisons, broken_counts
from shared.testing.simulator.laws.shelf import broken_collections
from tests.functional.system import SAY, flow

VERSION = flow("a: {prompt: say, models: [x, y], with: {text: hi}}\nb: {call: test.echo}")
RUN: dict[str, Any] = {
    "run_id": "r1",
    "flow": "thing",
    "flow_version": VERSION.version,
    "event_key": "e1",
    "status": "running",
    "redrives": 0,
    "trials": '{"x": "t1"}',
}
FREE = {"llm_calls": 0, "cost_usd": 0.0, "tokens": {"input": 0, "output": 0}}
DONE: dict[str, Any] = {"status": "succeeded", "output": '"x"', "prompt": {"name": "say"}}
HIT = {**DONE, "cached": True, "attempts": [{"outcome": "succeeded", "usage": FREE}]}
KEPT = {"run_id": "r1", "step": "a", "output": '"x"', "prompt": "say"}
BILLED = [{"outcome": "succeeded", "usage": {**FREE, "llm_calls": 1}}]


@pytest.fixture
def watch() -> Watch:
    return Watch({VERSION.version: VERSION})


def see(watch: Watch, *changes: tuple[str, Any]) -> list[str]:
    """Lets documents change one after another; returns the names of what that breaks."""
    for path, after in changes:
        watch.changed(Change(path, watch.documents.get(path), after))
    names = [violation.invariant for violation in watch.violations]
    assert set(names) <= set(GUARANTEES)
    return names


A, ANSWER, PAGE = ("runs/r1/steps/a", DONE), "cache/k", "collections/docs/documents/d"
ENTRY = "runs/r1/blackboard/plan"


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ([A, (ANSWER, KEPT)], []),
        ([(ANSWER, KEPT)], ["cache"]),
        ([A, (ANSWER, {**KEPT, "output": "1"})], ["cache"]),
        ([A, (ANSWER, KEPT), ("runs/r1/steps/b", HIT)], []),
        ([A, (ANSWER, KEPT), ("runs/r1/steps/b", {**HIT, "output": "1"})], ["cache"]),
        ([A, (ANSWER, KEPT), ("runs/r1/steps/b", {**HIT, "attempts": BILLED})], ["cache"]),
        ([(PAGE, {"at": 1, "digest": "b"}), (PAGE, {"at": 2, "digest": "a"})], []),
        ([(PAGE, {"at": 1, "digest": "b"}), (PAGE, {"at": 1, "digest": "a"})], ["collection"]),
        ([(PAGE, {"at": 1, "digest": "b"}), (PAGE, None)], ["collection"]),
        ([(ENTRY, {"calls": ["c1"]}), (ENTRY, {"calls": ["c1", "c2"]})], []),
        ([(ENTRY, {"calls": ["c1"]}), (ENTRY, {"calls": ["c1", "c1"]})], ["blackboard"]),
        ([(ENTRY, {"calls": ["c1"]}), (ENTRY, {"calls": ["c2"]})], ["blackboard"]),
    ],
)
def test_what_is_kept_must_follow_from_what_is_recorded(
    watch: Watch, changes: list[tuple[str, Any]], broken: list[str]
) -> None:
    assert see(watch, ("runs/r1", RUN), *changes) == broken


async def test_a_model_is_passed_over_only_where_its_breaker_is_open(watch: Watch) -> None:
    labels = {"segue-run": "r1", "segue-step": "a", "segue-prompt-version": SAY.version}
    work = Work(Instance("i#1"), "segue-generate", "1", b"", {}, 1)
    CURRENT.set(work)
    see(watch, ("runs/r1", RUN))
    asked = ModelRequest(model="y", messages=(), labels=labels)
    see(watch, (breaker_path("x"), {"opened": 1}))
    watch.asks(asked)
    assert watch.violations == []
    watch.calls.shut[breaker_path("x")] = asyncio.get_running_loop().time() - 60
    watch.asks(asked)
    assert see(watch) == ["chain"]
    work.tried.add("x")
    watch.asks(asked)
    assert see(watch) == ["chain"]


async def test_a_shadow_changes_nothing_but_comparisons_and_what_it_spends(watch: Watch) -> None:
    CURRENT.set(Work(Instance("i#1"), "segue-generate", "1", b"", {"segue-shadow": "x"}, 1))
    assert see(watch, ("comparisons/c", {"open": True})) == []
    spent = ("budgets/thing:2026-01-01", {}), ("quotas/x:7", {}), ("runs/r1/holds/a~x", {})
    assert see(watch, *spent) == []
    assert see(watch, ("budgets/r1", {}), ("runs/r1", RUN)) == ["shadow", "shadow"]


def test_a_collection_holds_what_its_records_say() -> None:
    of, chunk = "collections/docs/documents/d", {"document": "d"}
    page = {"chunks": ["c1"], "at": 1, "digest": "a"}
    assert not list(broken_collections({of: page, "collections/docs/chunks/c1": chunk}))
    assert list(broken_collections({of: page}))
    assert list(broken_collections({"collections/docs/chunks/c1": chunk}))


def test_runs_are_counted_once() -> None:
    about = {"trial": "t1", "variant": "v", "metric": "success"}
    trial = {"trial": "t1", "past": "{}"}
    counted, sums = {"rollouts/x/counted/r1~success": about}, "rollouts/x/tallies/1"
    ended = {"runs/r1": {**RUN, "status": "succeeded"}, "rollouts/x": trial}
    assert not list(broken_counts({**ended, **counted, sums: {**about, "n": 1}}))
    assert list(broken_counts({**ended, **counted, sums: {**about, "n": 2}}))
    assert list(broken_counts(ended))
    assert not list(broken_counts({**ended, "runs/r1": {**RUN, "status": "cancelled"}}))
    assert not list(broken_counts({**ended, "rollouts/x": {**trial, "past": '{"t0": "paused"}'}}))


def test_a_shadow_is_compared_with_what_its_step_has_come_to() -> None:
    comparison = {"run_id": "r1", "step": "a", "usual": '{"output": "x", "error": null}'}
    known = {"runs/r1": RUN, "runs/r1/steps/a": DONE, "comparisons/c": comparison}
    assert not list(broken_comparisons(known))
    other = {**comparison, "usual": '{"output": "y", "error": null}'}
    assert list(broken_comparisons({**known, "comparisons/c": other}))


def _called(tool: str, output: str, **args: Any) -> dict[str, Any]:
    note = {"kind": "call", "call": {"name": tool, "args": args}}
    return {"status": "succeeded", "agent": json.dumps(note), "output": output}


def test_a_blackboard_holds_what_calls_have_written() -> None:
    steps = {"c1": _called(WRITE.name, '{"written": "plan"}', key="plan", value=1)}
    entry = {"calls": ["c1"], "value": "1"}
    assert not list(broken_board({ENTRY: entry}, "r1", steps))
    assert list(broken_board({}, "r1", steps))
    assert list(broken_board({ENTRY: entry}, "r1", {}))
    assert list(broken_board({ENTRY: {**entry, "value": "2"}}, "r1", steps))
    assert is_read(_called(READ.name, "{}"))
    assert not is_read(steps["c1"])
