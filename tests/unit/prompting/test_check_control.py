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


BATCHES = {
    "event: x, size: 2": "wait",
    "event: x, size: 0, wait: 1m": "greater than or equal to 1",
    "event: x, size: 1001, wait: 1m": "less than or equal to 1000",
    "event: x, size: 2, wait: 1m, key: run.id": "use `event` only",
    "event: x, size: 2, wait: 1m, max: 9": "add `adaptive: true`",
    "event: x, size: 9, wait: 1m, max: 2, adaptive: true": "smaller than `size` (9)",
    "event: x, size: 2, wait: 1m}, event: {y": "exactly one of",
}
BESIDE = {
    "debounce: {for: 1m}": "raise the batch's `wait` instead",
    "concurrency: {limit: 1, over: drop}": "a batch must not drop: its events would be lost",
}


@pytest.mark.parametrize("batch", BATCHES)
def test_a_batch_that_makes_no_sense_is_told(batch: str) -> None:
    with pytest.raises(SourceProblems) as told:
        read("", f"{{batch: {{{batch}}}}}")
    assert BATCHES[batch] in str(told.value)


@pytest.mark.parametrize("control", BESIDE)
def test_what_would_lose_the_events_of_a_batch_is_told(control: str) -> None:
    with pytest.raises(SourceProblems) as told:
        read(control, "{batch: {event: x, size: 2, wait: 1m}}")
    assert BESIDE[control] in str(told.value)


def test_a_batch_may_be_controlled_by_what_it_has_in_common() -> None:
    read("order_by: event.data.key", "{batch: {event: x, size: 2, wait: 1m, key: event.subject}}")


def read(control: str, on: str = "{event: x}") -> None:
    steps = "steps:\n  a: {action: log.write, with: {message: hi}}"
    read_flow(f"flow: f\non: {on}\n{control}\n{steps}\n", "f.yaml", {})


@pytest.mark.parametrize("control", SOUND)
def test_what_makes_sense_passes(control: str) -> None:
    read(control)


@pytest.mark.parametrize("control", WRONG)
def test_what_makes_none_is_told_with_its_line(control: str) -> None:
    with pytest.raises(SourceProblems) as told:
        read(control)
    assert WRONG[control] in str(told.value)
    assert "f.yaml:" in str(told.value)
