"""Views of runs: what people read of a report."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from shared.cli.views import _budgets, run_view

REPORT: dict[str, Any] = {
    "run_id": "joke-1",
    "flow": "joke",
    "flow_version": "0fa9",
    "status": "succeeded",
    "started_at": None,
    "created_at": "2026-01-01T00:00:00Z",
    "finished_at": "2026-01-01T00:00:01Z",
    "steps": {},
    "error": None,
    "totals": {"llm_calls": 0, "tokens": {"input": 0, "output": 0}, "cost_usd": 0.0},
}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("plain text", "plain text"),
        (None, "null"),
        (["a", None, True], '[\n      "a",\n      null,\n      true\n    ]'),
        ({"bold": "[bold]ü[/]"}, '{\n      "bold": "[bold]ü[/]"\n    }'),
    ],
)
def test_an_output_is_told_as_json_unless_it_is_a_text(value: Any, told: str) -> None:
    written = io.StringIO()
    Console(file=written, width=100).print(run_view({**REPORT, "outputs": {"joke": value}}))
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    assert f"    {told}" in "\n".join(lines)


def test_a_step_names_its_child_and_a_child_its_parent() -> None:
    written = io.StringIO()
    step = {"status": "waiting", "attempts": 0, "child": "leaf-1"}
    parent = {"run_id": "top-1", "step": "kid"}
    report = {**REPORT, "outputs": {}, "steps": {"a": step}, "parent": parent}
    Console(file=written, width=100).print(run_view(report))
    assert "run leaf-1" in written.getvalue()
    assert "child of top-1, step kid" in written.getvalue()


def test_the_runs_that_belong_to_one_are_told() -> None:
    written = io.StringIO()
    related = {"outputs": None, "undone_by": "joke-1-undo", "hook_of": "other-1"}
    Console(file=written, width=100).print(run_view({**REPORT, **related}))
    lines = [line.strip() for line in written.getvalue().splitlines()]
    assert lines[1:3] == ["hook of other-1", "undone by joke-1-undo"]


def test_a_budget_is_told_with_what_is_spent_held_and_added():
    usd = {"limit": 0.5, "spent": 0.031, "reserved": 0.164, "raised": 0.25}
    tokens = {"limit": 200_000, "spent": 18_204, "reserved": 0, "raised": 0}
    [told] = _budgets([{"of": "run r-1", "usd": usd, "tokens": tokens}])
    shown = "budget of run r-1: $0.031 ($0.164 held) of $0.75; 18,204 of 200,000 tokens"
    assert told.plain.strip() == shown
