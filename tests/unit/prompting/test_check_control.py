"""Control by key that makes no sense is told with its line and a remedy."""

from __future__ import annotations

import pytest

from shared.prompting.library import read_flow
from shared.prompting.source import SourceProblems

SOUND = [
    "order_by: event.data.id",
    "concurrency: {limit: 3, over: drop}",
    "concurrency: {limit: 3, key: event.subject, over: replace}\nrate: {limit: 1, per: 1m}",
    "rate: {limit: 10, per: 1m, key: event.data.id, burst: 2}\norder_by: event.data.id",
    "debounce: {for: 30s, key: event.data.id, at_most: 5m}\norder_by: event.data.id",
]
WRONG = {
    "order_by: run.id": "use `event` only",
    "order_by: evnt.id": "'evnt' is undefined; did you mean 'event'?",
    "order_by: event.dat": "'event' has no 'dat'",
    "order_by: \"'x'\"": "is the same for every event",
    "order_by: event.id +": "is not valid",
    "order_by: event.id\nconcurrency: {limit: 2}": "keep one of the two",
    "concurrency: {limit: 0}": "greater than or equal to 1",
    "concurrency: {limit: 1, key: a.b}": "'a' has not finished here",
    "concurrency: {limit: 1, over: queue}": "'wait', 'drop' or 'replace'",
    "rate: {limit: 1}": "per",
    "rate: {limit: 1, per: 1m, keys: x}": "keys",
    "debounce: {for: 30s, at_most: 10s}": "`at_most` (10 s) is shorter than `for` (30 s)",
    "debounce: {for: 30s}\nrate: {limit: 1, per: 1m}": "`debounce` already says how often",
    "debounce: {for: 30s}\nconcurrency: {limit: 1, over: drop}": "write `over: wait`",
}


def read(control: str) -> None:
    steps = "steps:\n  a: {action: log.write, with: {message: hi}}"
    read_flow(f"flow: f\non: {{event: x}}\n{control}\n{steps}\n", "f.yaml", {})


@pytest.mark.parametrize("control", SOUND)
def test_what_makes_sense_passes(control: str) -> None:
    read(control)


@pytest.mark.parametrize("control", WRONG)
def test_what_makes_none_is_told_with_its_line(control: str) -> None:
    with pytest.raises(SourceProblems) as told:
        read(control)
    assert WRONG[control] in str(told.value)
    assert "f.yaml:" in str(told.value)
