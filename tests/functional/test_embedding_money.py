"""What is embedded counts against budgets and quotas: held before, settled after, or put off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.delivery.crashpoints import POINTS, Point
from shared.domain.budgets.declared import Budget
from shared.domain.model_calls.quotas import Quotas, learnt_path
from shared.domain.version import FlowVersion
from shared.errors import ModelBusyError, ModelUnreachableError, SegueError
from shared.prompting.library import read_flow
from shared.prompting.prompt_file import read_prompt
from tests.functional.agents import asks, model
from tests.functional.system import EVENT, System, shipped
from tests.functional.test_agent_searches import agent
from tests.functional.test_money import Billing, balance, holds, ticks
from tests.functional.test_quotas import calls_by_window
from tests.functional.test_retrieve import DOCS, reported

LOOK = 'look: {retrieve: {collection: docs, query: "{{ event.data.q }}", top_k: 1}}'
QUERY = "do cats purr?"  # 13 bytes: 29 tokens are held, and 3 are billed
FRONT = {"description": "Answers.", "model": "gemini-2.5-flash"}
SEARCHING = {
    "parameters": {"max_output_tokens": 100},
    "retrieve": {"collection": "docs", "query": "{{ event.data.q }}", "top_k": 1},
}


def searching(budget: str, steps: str = LOOK) -> FlowVersion:
    """A flow that may spend so much, and whose prompt `answer` retrieves."""
    text = f"---\n{json.dumps({**FRONT, **SEARCHING})}\n---\n{{{{ retrieved | length }}}}"
    prompts = {"answer": read_prompt("answer", text, "answer.md.j2", {}, {"docs": DOCS})}
    indented = steps.replace("\n", "\n  ")
    flow = f"flow: thing\non: {{event: {EVENT}}}\nbudget: {budget}\nsteps:\n  {indented}\n"
    return read_flow(flow, "thing.yaml", prompts, collections={"docs": DOCS})


def with_budget(version: FlowVersion, **limits: Any) -> FlowVersion:
    flow = version.flow.model_copy(update={"budget": Budget(**limits)})
    return version.model_copy(update={"flow": flow})


def empty(flow: FlowVersion, **about: Any) -> System:
    """A system whose collection holds nothing: what is embedded costs as much."""
    return System([flow], **about)


def run_of(system: System) -> str:
    [run] = [run for run in system.run_ids() if run.startswith("thing")]
    return run


async def searched(flow: FlowVersion, **about: Any) -> System:
    system = empty(flow, **about)
    await system.start({"q": QUERY})
    return system


async def test_a_search_counts_as_it_was_billed_for_the_run_and_the_day() -> None:
    system = await searched(searching("{usd: 1, tokens: 1M, usd_per_day: 20}"))
    totals = (await reported(system))["totals"]
    for name in (run_of(system), "thing:2026-01-01"):
        after = balance(system, name)
        assert (after.spent.tokens, after.reserved.is_some) == (totals["tokens"]["input"], False)
        assert 0 <= after.spent.usd - totals["cost_usd"] * 1e6 < 1
    assert holds(system) == []


@pytest.mark.parametrize(("limit", "fits"), [(29, True), (28, False)])
async def test_a_search_that_could_pass_the_limit_is_not_made_and_nobody_is_asked(
    limit: int,
    fits: bool,  # noqa: FBT001 - a column
) -> None:
    system = await searched(searching(f"{{tokens: {limit}, on_breach: [{{model: m}}, ask]}}"))
    report = await reported(system)
    assert len(system.embedder.calls) == fits
    if not fits:
        assert (report["status"], report["error"]["code"]) == ("failed", "BudgetExceeded")
        assert "may cost 0.000003 USD and 29 tokens" in report["error"]["message"]
    assert not balance(system, run_of(system)).reserved.is_some


async def test_what_a_prompt_retrieves_and_what_it_asks_are_held_one_after_another() -> None:
    system = await searched(searching("{tokens: 400}", "a: {prompt: answer}"))
    report = await reported(system)
    assert report["status"] == "succeeded", report["error"]
    used = report["totals"]["tokens"]
    after = balance(system, run_of(system))
    assert (after.spent.tokens, after.reserved.tokens) == (used["input"] + used["output"], 0)
    assert holds(system) == []


async def test_what_an_agent_searches_counts_against_its_run() -> None:
    asked = model(asks(("find", {"query": QUERY})), "They do.")
    system = empty(with_budget(agent(), tokens=9000), model=asked)
    await system.start({})
    report = await reported(system)
    used = report["totals"]["tokens"]
    after = balance(system, run_of(system))
    assert report["status"] == "succeeded", report["error"]
    assert (after.spent.tokens, holds(system)) == (used["input"] + used["output"], [])


async def test_what_fills_a_collection_counts() -> None:
    flow = with_budget(shipped().flows["documents"], tokens_per_day=100)
    system = System([flow])
    for name, text in (("cats.md", "Cats purr."), ("long.md", "Cats purr. " * 20)):
        data = {"collection": "docs", "document": name, "text": text}
        await system.start(data, "document.added", ce_id=name)
    reports = {report["event"]["id"]: report for report in await _reports(system)}
    assert reports["cats.md"]["status"] == "succeeded"
    assert reports["long.md"]["error"]["code"] == "BudgetExceeded"
    assert balance(system, "documents:2026-01-01").spent.tokens == 2
    assert holds(system) == []


async def _reports(system: System) -> list[dict[str, Any]]:
    return [await system.report(run) for run in system.run_ids()]


@pytest.mark.parametrize("point", POINTS)
async def test_a_search_cut_down_counts_as_spent(point: Point) -> None:
    system = empty(searching("{tokens: 200}"))
    await system.publish(EVENT, {"q": QUERY})
    await system.pipeline.step("route")
    await system.pipeline.step("compose")
    await system.killed_at(point, "look")
    await system.run()
    assert (await reported(system))["status"] == "succeeded"
    after = balance(system, run_of(system))
    billed = 3 * len(system.embedder.calls)
    assert (after.reserved.is_some, holds(system)) == (False, [])
    assert after.spent.tokens == (29 + 3 if point == "worked" else billed)


@pytest.mark.parametrize(
    ("error", "texts", "counts"),
    [
        (ModelUnreachableError("gone"), 1, True),
        (ModelBusyError("429"), 1, False),
        (ModelBusyError("429"), 2, True),  # one of two requests may have been answered
    ],
)
async def test_an_embedding_that_fails_counts_unless_it_was_refused(
    error: SegueError,
    texts: int,
    counts: bool,  # noqa: FBT001 - a column
) -> None:
    step = f"keep: {{embed: {{collection: docs, texts: {['cats purr', 'dogs'][:texts]}}}}}"
    system = empty(searching("{tokens: 500}", step))
    system.embedder.errors.append(error)
    await system.start({})
    assert (await reported(system))["status"] == "succeeded"
    billed = sum(max(len(text) // 4, 1) for text in system.embedder.calls[-1].texts)
    spent = balance(system, run_of(system)).spent.tokens
    assert (spent > billed) == counts


@pytest.mark.parametrize("seed", range(2))
async def test_branches_that_search_and_ask_at_once_cannot_pass_a_limit_together(seed: int) -> None:
    steps = "each: {foreach: event.data.qs, prompt: answer}\n" + LOOK
    asked = Billing(default="An answer.")
    system = empty(searching("{tokens: 600}", steps), model=asked, seed=seed)
    await system.start({"q": QUERY, "qs": list(range(8))})
    await ticks(system, 3)
    report = await reported(system)
    assert report["status"] == "succeeded", report["error"]
    after = balance(system, run_of(system))
    assert len(system.embedder.calls) == 9
    assert after.spent.tokens == asked.billed + 9 * 3 <= 600
    assert (after.reserved.is_some, holds(system)) == (False, [])


# -- quotas -------------------------------------------------------------------------------------

EACH = 'look: {foreach: event.data.qs, retrieve: {collection: docs, query: "{{ item }}"}}'


def scarce(steps: str) -> System:
    """A system whose collection's model takes five requests in ten seconds."""
    quotas = Quotas.model_validate({"models": {DOCS.model: {"requests_per_minute": 30}}})
    return empty(searching("{tokens: 1M}", steps), quotas=quotas)


async def test_no_more_is_embedded_than_the_models_quota_lets_through() -> None:
    system = scarce(EACH)
    await system.start({"qs": [f"q{n}" for n in range(12)]})
    assert (await reported(system))["status"] == "succeeded"
    windows = calls_by_window(system)
    assert (max(windows.values()), windows.total()) == (5, 12)


async def test_a_batch_is_as_many_requests_as_it_has_texts_and_waits_for_a_window_of_its_own() -> (
    None
):
    texts = "[a, b, c, d, e, f]"
    keep = f"keep: {{needs: look, embed: {{collection: docs, texts: {texts}}}}}"
    system = scarce(f"{LOOK}\n{keep}")
    await system.start({"q": QUERY})
    assert (await reported(system))["status"] == "succeeded"
    assert list(calls_by_window(system).values()) == [1, 1]
    known = system.world.documents.documents
    windows = [found.data for path, found in known.items() if path.startswith("quotas/")]
    assert sorted(one["requests"] for one in windows) == [1, 6]


async def test_what_refuses_to_embed_is_learnt() -> None:
    system = scarce(LOOK)
    system.embedder.errors.append(ModelBusyError("429"))
    await system.start({"q": QUERY})
    assert (await reported(system))["status"] == "succeeded"
    learnt = system.world.documents.documents[learnt_path(DOCS.model)]
    assert learnt.data["factor"] == 500
