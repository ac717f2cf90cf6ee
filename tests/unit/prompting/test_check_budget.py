"""What is wrong with a budget, by line, before anything is spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.prompting.library import read_library

PRICES = """
as_of: 2026-01-01
source: here
models:
  known: {rate: {input: 1, output: 1, cached: 1}, max_output: 1000}
  endless: {rate: {input: 1, output: 1, cached: 1}}
  keeps: {rate: {input: 1, output: 1, cached: 1}, storage: 1, max_output: 1000}
"""
FLOW = """flow: f
on: {event: e}
budget: %s
steps:
  a: {%s}
"""
ASKS = "prompt: p"


def problems(root: Path, budget: str, step: str = ASKS, head: str = "model: known") -> list[str]:
    for folder in ("templates", "flows"):
        (root / folder).mkdir()
    (root / "prices.yaml").write_text(PRICES, "utf-8")
    text = f"---\ndescription: d\n{head}\n---\nHello\n"
    (root / "templates" / "p.md.j2").write_text(text, "utf-8")
    (root / "flows" / "f.yaml").write_text(FLOW % (budget, step), "utf-8")
    return [f"{one.line}: {one.message}" for one in read_library(root).problems]


@pytest.mark.parametrize(
    "budget",
    [
        "{usd: 0.5}",
        "{tokens: 200k}",
        "{usd: 1, tokens: 1.5M, usd_per_day: 20, tokens_per_day: 9M}",
        "{usd: 1, on_breach: [{model: known}, {context: 8k}, ask, stop]}",
    ],
)
def test_a_budget_that_makes_sense_is_taken(tmp_path: Path, budget: str):
    assert problems(tmp_path, budget) == []


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        ("{}", "at least one of: usd, tokens"),
        ("{usd: 0}", "greater than 0"),
        ("{tokens: many}", "5000, 200k or 1.5M"),
        ("{usd: 1, on_breach: [give_up]}", "{model: …}, {context: …}, ask, stop"),
        ("{usd: 1, on_breach: []}", "has at least one of"),
        ("{usd: 1, on_breach: [stop, ask]}", "nothing is tried after `stop`"),
        ("{usd: 1, on_breach: [{context: 100}]}", "greater than or equal to 512"),
        ("{usd: 1, on_breach: [{model: dear}]}", "the price of 'dear' is not known"),
        ("{usd: 2, usd_per_day: 1}", "a run may not spend more than all runs of a day"),
    ],
)
def test_nonsense_is_told_with_its_line(tmp_path: Path, budget: str, told: str):
    [problem] = problems(tmp_path, budget)
    assert problem.startswith("3: ")
    assert told in problem


@pytest.mark.parametrize(
    ("head", "budget", "told"),
    [
        ("model: dear", "{usd: 1}", "the price of 'dear' is not known"),
        ("model: endless", "{tokens: 1k}", "nothing says how long an answer of 'endless'"),
        ("model: known\nparameters: {cached_content: c}", "{usd: 1}", "nobody can count"),
    ],
)
def test_a_call_whose_cost_cannot_be_told_is_refused(
    tmp_path: Path, head: str, budget: str, told: str
):
    [problem] = problems(tmp_path, budget, head=head)
    assert problem.startswith("5: ")
    assert told in problem


def test_a_prompt_may_say_itself_how_long_its_answer_is(tmp_path: Path):
    head = "model: endless\nparameters: {max_output_tokens: 50}"
    assert problems(tmp_path, "{usd: 1}", head=head) == []


def test_a_flow_that_asks_no_model_has_no_use_for_a_budget(tmp_path: Path):
    [problem] = problems(tmp_path, "{usd: 1}", step="action: log.write, with: {message: x}")
    assert "no step of the flow asks a model" in problem


def test_a_collection_whose_model_has_no_price_cannot_be_held_to_usd(tmp_path: Path):
    (tmp_path / "collections").mkdir()
    declared = "collection: c\nmodel: dear\n"
    (tmp_path / "collections" / "c.yaml").write_text(declared, "utf-8")
    search = "retrieve: {collection: c, query: x}"
    [problem] = problems(tmp_path, "{usd: 1}", step=search)
    assert "3: collection 'c': the price of 'dear' is not known" in problem


@pytest.mark.parametrize(("model", "is_told"), [("keeps", False), ("known", True)])
def test_what_a_model_keeps_needs_a_price(tmp_path: Path, model: str, *, is_told: bool) -> None:
    head = f"model: {model}\nsystem: s\ncontext_cache: {{ttl: 1h}}"
    found = problems(tmp_path, "{tokens: 5k}", head=head)
    assert any("give it `storage` in prices.yaml" in one for one in found) is is_told
    assert len(found) == is_told
