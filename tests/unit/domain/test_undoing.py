"""The flow that undoes a run, put together from what its steps declare and what has succeeded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.compensation import Compensation
from shared.domain.undoing import Done, undo_run_id, undoing_of
from shared.domain.version import FlowVersion, UndoneItems

THEN = datetime(2026, 1, 1, tzinfo=UTC)
PROMPT = {"name": "p", "head": {"description": "d", "model": "m"}, "body": "{{ text }} {{ b }}"}


def version(**steps: Any) -> FlowVersion:
    declared = {name: {"call": "c", **step} for name, step in steps.items()}
    flow = {"flow": "f", "on": {"event": "e"}, "steps": declared}
    return FlowVersion.model_validate({"flow": flow, "prompts": {"p": PROMPT}})


def done(step: str, after: int, *items: int) -> Done:
    return Done(step, THEN + timedelta(seconds=after), items or None)


def undo(**more: Any) -> dict[str, Any]:
    return {"compensate": {"call": "undo", **more}}


def test_what_ended_last_is_undone_first() -> None:
    whole = version(a=undo(), b={}, c=undo(), d=undo())
    undoing = undoing_of(whole, [done("a", 1), done("c", 3), done("d", 2)], {})
    assert undoing is not None
    steps = undoing.flow.steps
    assert [(name, step.needs) for name, step in steps.items()] == [
        ("undo_c", ()),
        ("undo_d", ("undo_c",)),
        ("undo_a", ("undo_d",)),
    ]
    assert (undoing.flow.flow, undoing.flow.on.kind) == ("f-undo", "call")
    assert undo_run_id("f-1") == "f-1-undo"


def test_what_ended_at_once_is_undone_against_the_order_of_the_flow() -> None:
    undoing = undoing_of(version(b=undo(), a=undo()), [done("a", 1), done("b", 1)], {})
    assert undoing is not None
    assert list(undoing.flow.steps) == ["undo_a", "undo_b"]


def test_nothing_done_is_nothing_to_undo() -> None:
    assert undoing_of(version(a=undo()), [], {}) is None


def test_the_same_state_gives_the_same_version() -> None:
    ends = [done("a", 1), done("b", 2)]
    whole = version(a=undo(), b=undo())
    one, other = undoing_of(whole, ends, {}), undoing_of(whole, reversed(ends), {})
    assert one is not None
    assert other is not None
    assert one.version == other.version
    stored = FlowVersion.model_validate(one.declaration())
    assert stored.version == one.version


def test_only_what_is_read_is_recalled_from_where_it_is() -> None:
    whole = version(
        a=undo(**{"with": {"x": "{{ a }} {{ run.id }} {{ event.data }}"}}),
        b={"fallback": {"step": "c"}},
        c={},
        d={"compensate": {"prompt": "p", "with": {"text": "{{ d }}"}}},
    )
    sources = {"a": "a", "b": "c", "c": "c", "d": "d"}
    undoing = undoing_of(whole, [done("a", 1), done("d", 2)], sources)
    assert undoing is not None
    assert undoing.undoing is not None
    assert undoing.undoing.recalls == {"a": "a", "b": "c", "d": "d"}
    assert set(undoing.prompts) == {"p"}
    assert undoing.wanted_steps("undo_d") == {"a", "b", "d"}
    assert undoing.wanted_steps("undo_a") == {"a"}


def test_of_a_map_the_items_that_have_succeeded_are_undone() -> None:
    whole = version(a={"foreach": {"in": "[1, 2, 3]", "max_parallel": 2}, **undo()})
    undoing = undoing_of(whole, [done("a", 1, 0, 2)], {})
    assert undoing is not None
    foreach = undoing.flow.steps["undo_a"].foreach
    assert foreach is not None
    assert (foreach.source, foreach.max_parallel) == ("[1, 2, 3]", 2)
    assert undoing.undone_by("undo_a") == UndoneItems(step="a", indexes=(0, 2))
    assert whole.undone_by("a") is None


def test_one_that_may_fail_lets_the_next_one_run_either_way() -> None:
    may_fail = undo(on_error="continue")
    undoing = undoing_of(version(a=may_fail, b=may_fail), [done("a", 1), done("b", 2)], {})
    assert undoing is not None
    first, last = undoing.flow.steps.values()
    assert (first.goto, last.on_error, last.needs) == ("undo_a", "continue", ("undo_b",))


@pytest.mark.parametrize("written", [{}, {"call": "c", "action": "a"}, {"with": {}}])
def test_a_compensation_is_exactly_one_thing(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of"):
        Compensation.model_validate(written)
