"""Answers that are kept: an equal request gets the same answer, and asks nobody."""

from __future__ import annotations

from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.testing.memory import ScriptedModel
from tests.functional.system import EVENT, System, flow, prompt

KEPT = prompt("kept", "{{ text }}", cache={"ttl": "1h"})
JUDGED = prompt("judged", "{{ text }}", cache={"ttl": "1h"}, output={"type": "object"})
ASKS = flow("a: {prompt: kept, with: {text: '{{ event.data }}'}}", KEPT)


async def outputs(system: System) -> dict[str, Any]:
    """By run: its step's report."""
    return {run: (await system.report(run))["steps"]["a"] for run in system.run_ids()}


async def test_an_equal_request_is_answered_once_and_the_hit_is_marked():
    system = System([ASKS])
    for n, text in enumerate(["one", "one", "two"]):
        await system.start(text, ce_id=str(n))
    assert system.asked() == ["a: one", "a: two"]
    found = list((await outputs(system)).values())
    hits = [step for step in found if step.get("cached")]
    assert len(hits) == 1
    assert hits[0]["output"] == {"text": "a(one)"}
    assert (hits[0]["llm_calls"], hits[0]["cost_usd"]) == (0, 0)
    assert hits[0]["model"] == "gemini-2.5-flash"
    told = [report.details.get("cached") for report in system.world.telemetry.reports]
    assert told.count(True) == 1


async def test_an_answer_is_good_for_so_long():
    system = System([ASKS])
    await system.start("one", ce_id="1")
    system.world.clock.advance(3601)
    await system.start("one", ce_id="2")
    assert len(system.asked()) == 2


async def test_keeping_an_answer_costs_a_write_in_the_commit_of_its_step_and_a_hit_a_read():
    plain = System([flow("a: {prompt: say, with: {text: '{{ event.data }}'}}")])
    kept = System([ASKS])
    for system in (plain, kept):
        await system.start("zero", ce_id="0")
        system.world.documents.reset_counts()
        await system.start("one", ce_id="1")
    more, less = kept.world.documents, plain.world.documents
    assert more.commits == less.commits
    assert more.writes.total() == less.writes.total() + 1
    assert more.reads.total() == less.reads.total() + 1


async def test_an_answer_that_does_not_fit_its_schema_is_not_kept():
    asks = flow("a: {prompt: judged, with: {text: x}}", JUDGED)
    system = System([asks], model=ScriptedModel({"judged": ["no", "no", {"n": 1}]}))
    await system.start(ce_id="1")
    await system.start(ce_id="2")
    found = [step["status"] for step in (await outputs(system)).values()]
    assert sorted(found) == ["failed", "succeeded"]


async def test_another_model_or_prompt_is_another_request():
    other = prompt("kept", "{{ text }}", cache={"ttl": "1h"}, model="other")
    system = System([ASKS])
    await system.start("one", ce_id="1")
    system.deploy(flow("a: {prompt: kept, with: {text: '{{ event.data }}'}}", other))
    await system.start("one", ce_id="2")
    assert len(system.asked()) == 2


@pytest.mark.parametrize("point", POINTS)
async def test_an_answer_is_kept_with_the_result_or_not_at_all(point: Point):
    system = System([ASKS])
    await system.publish(EVENT, "one")
    await system.pipeline.step("route")
    await system.pipeline.step("compose")
    await system.killed_at(point, "a")
    kept = any(path.startswith("cache/") for path in system.world.documents.documents)
    assert kept == (point in {"committed", "emitted"})
    await system.run()
    assert (await system.report())["status"] == "succeeded"
