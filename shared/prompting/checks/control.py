"""Whether a flow's control by key makes sense: one limit, keys that an event can have.

Knows no steps; the expressions themselves are checked like any other, elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.domain.expressions import GLOBALS, names
from shared.domain.flow import BatchTrigger, Flow
from shared.domain.starts.batches import Batch
from shared.errors import ExpressionError
from shared.prompting.source import Location, Problem, Source


def control_problems(source: Source, flow: Flow) -> Iterator[Problem]:
    """All that is wrong with when the flow's runs may begin."""
    for at, told in _together(flow):
        yield source.problem(at, told)
    for at, expression in key_expressions(flow):
        complaint = _key_problem(expression)
        if complaint is not None:
            yield source.problem(at, f"`{expression}` {complaint}")
    put_off = flow.debounce
    if put_off is not None and put_off.at_most is not None and put_off.at_most < put_off.quiet:
        told = f"`at_most` ({put_off.at_most:g} s) is shorter than `for` ({put_off.quiet:g} s)"
        yield source.problem(("debounce", "at_most"), told)


def key_expressions(flow: Flow) -> Iterator[tuple[Location, str]]:
    """Where there is an expression for a key, and which."""
    if isinstance(flow.on, BatchTrigger) and flow.on.batch.key is not None:
        yield ("on", "batch", "key"), flow.on.batch.key
    if flow.order_by is not None:
        yield ("order_by",), flow.order_by
    for name, control in (
        ("concurrency", flow.concurrency),
        ("rate", flow.rate),
        ("debounce", flow.debounce),
    ):
        if control is not None and control.key is not None:
            yield (name, "key"), control.key


def _together(flow: Flow) -> Iterator[tuple[Location, str]]:
    if flow.order_by is not None and flow.concurrency is not None:
        told = "`order_by` lets one run of a key be under way, so there is no other limit"
        yield ("concurrency",), f"{told}; keep one of the two"
    if isinstance(flow.on, BatchTrigger):
        yield from _of_batch(flow, flow.on.batch)
    if flow.debounce is None:
        return
    if flow.rate is not None:
        yield ("rate",), "`debounce` already says how often a run begins; keep one of the two"
    if flow.concurrency is not None and flow.concurrency.over != "wait":
        told = f"with `debounce` a run waits anyway, and cannot {flow.concurrency.over}"
        yield ("concurrency", "over"), f"{told}; write `over: wait`"


def _of_batch(flow: Flow, batch: Batch) -> Iterator[tuple[Location, str]]:
    if flow.debounce is not None:
        told = "`debounce` would throw away all batches but the last, and their events with them"
        yield ("debounce",), f"{told}; raise the batch's `wait` instead"
    if flow.concurrency is not None and flow.concurrency.over != "wait":
        told = f"a batch must not {flow.concurrency.over}: its events would be lost"
        yield ("concurrency", "over"), f"{told}; write `over: wait`"
    if batch.max is not None and not batch.adaptive:
        yield ("on", "batch", "max"), "only an adaptive batch has a `max`; add `adaptive: true`"
    if batch.max is not None and batch.max < batch.size:
        yield ("on", "batch", "max"), f"`max` is smaller than `size` ({batch.size})"


def _key_problem(expression: str) -> str | None:
    try:
        used = names(expression, expression=True) - GLOBALS
    except ExpressionError:
        return None  # told where all expressions are checked
    if "run" in used:
        return "refers to `run`, and a key is asked for before there is one; use `event` only"
    if not used:
        return "is the same for every event; leave the key out where all runs share it"
    return None
