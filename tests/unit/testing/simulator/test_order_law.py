"""The law of keys notices who begins too early, and the law of batches who is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.testing.simulator.laws.order import Lines, broken_batches
from tests.chaos.crowds import ONE_BY_ONE, TOGETHER, TWO_AT_ONCE


def event(event_id: str, data: Any, **about: str) -> dict[str, Any]:
    fields = {
        "key": event_id,
        "id": event_id,
        "type": "crowd.came",
        "source": "/test",
        "time": "2026-01-01T00:00:00Z",
        "correlation_id": "s1",
        "data": data,
    }
    return {"event": json.dumps({**fields, **about})}


def run(event_id: str, status: str) -> dict[str, Any]:
    return {
        "flow": "f",
        "event_key": event_id,
        "status": status,
        "redrives": 0,
        "created_at": 1,
        "finished_at": 2,
    }


def told(version: Any, *changes: tuple[str, str]) -> list[str]:
    """Runs come into states one after another; `x` has a key of its own."""
    documents: dict[str, Any] = {
        f"events/{name}": event(name, {"key": "x" if name == "x" else "k", "n": 1})
        for name in ("a", "b", "c", "x")
    }
    lines, broken = Lines(documents), []
    for name, status in changes:
        before = documents.get(f"runs/{name}")
        documents[f"runs/{name}"] = run(name, status)
        broken += lines.changed(version, name, before, run(name, status))
    return broken


@pytest.mark.parametrize(
    ("version", "changes", "broken"),
    [
        (ONE_BY_ONE, [("a", "running"), ("b", "waiting"), ("x", "running")], []),
        (ONE_BY_ONE, [("a", "running"), ("a", "failed"), ("b", "running")], []),
        (ONE_BY_ONE, [("a", "running"), ("b", "running")], ["b begins while a", "b begins before"]),
        (ONE_BY_ONE, [("a", "waiting"), ("b", "running")], ["b begins before a"]),
        (ONE_BY_ONE, [("a", "waiting"), ("a", "cancelled"), ("b", "running")], []),
        (TWO_AT_ONCE, [("a", "waiting"), ("b", "running"), ("c", "running")], []),
        (TWO_AT_ONCE, [("a", "running"), ("b", "running"), ("c", "running")], ["c begins while"]),
    ],
)
def test_who_begins_too_early_is_noticed(
    version: Any, changes: list[tuple[str, str]], broken: list[str]
) -> None:
    found = told(version, *changes)
    assert len(found) == len(broken)
    assert all(begins in one for begins, one in zip(broken, found, strict=True))


@pytest.mark.parametrize(
    ("batches", "broken"),
    [
        ([["a", "b"]], []),
        ([["a"], ["b"]], []),
        ([["a"]], ["event b is in 0 batches of together"]),
        ([["a", "b"], ["b"]], ["event b is in 2 batches of together"]),
    ],
)
def test_who_is_left_out_of_a_batch_or_in_two_is_noticed(
    batches: list[list[str]], broken: list[str]
) -> None:
    documents = {f"events/{name}": event(name, {"key": "k"}) for name in "ab"}
    for number, batch in enumerate(batches):
        events = [{"source": "/test", "id": name} for name in batch]
        about = {"type": "segue.flow.start", "source": "//segue/batches/l", "subject": "together"}
        documents[f"events/batch{number}"] = event(str(number), {"events": events}, **about)
    assert list(broken_batches({TOGETHER.version: TOGETHER}, documents)) == broken
