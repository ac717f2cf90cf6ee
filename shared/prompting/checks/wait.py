"""Whether a `wait` step makes sense: what it waits for, and what it cannot say.

Its templates are checked like any, elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.domain.expressions import GLOBALS, names
from shared.domain.flow import Flow
from shared.domain.step import WaitStep
from shared.domain.waiting import ForApproval, ForDuration, ForEvent, ForSignal, Wait
from shared.errors import ExpressionError
from shared.prompting.prompt_file import schema_complaint
from shared.prompting.source import Problem, Source

# What other steps can say and a wait cannot, with what to do instead.
_NOT_ITS_OWN = {
    "timeout": "write `timeout` inside of `wait`, with `on_timeout`",
    "retry": "it is not tried again; `on_timeout` says what happens when nothing comes",
    "foreach": "it waits once; let a child flow wait for each item",
    "arguments": "nothing reads `with`; an approval has a `message`",
}
_OF_A_SIGNAL = frozenset({"data", "by", "at"})
_OF_AN_APPROVAL = frozenset({"approved", "by", "comment", "at"})


def wait_problems(source: Source, flow: Flow, name: str, step: WaitStep) -> Iterator[Problem]:
    """All that is wrong beside its templates."""
    for key, remedy in _NOT_ITS_OWN.items():
        if getattr(step, key):
            written = "with" if key == "arguments" else key
            yield source.problem(
                ("steps", name, written), f"step {name!r} waits for something; {remedy}"
            )
    yield from _timeout_problems(source, name, step)
    match step.wait:
        case ForSignal() if step.wait.data_schema is not None:
            at = ("steps", name, "wait", "schema")
            complaint = schema_complaint(source, at, step.wait.data_schema)
            if complaint:
                yield complaint
        case ForEvent():
            yield from _key_problems(source, name, step.wait)
    signal = step.signal(name)
    first = None if signal is None else flow.awaits_signal(signal)
    if first is not None and first != name:
        yield source.problem(
            ("steps", name, "wait"),
            f"steps {first!r} and {name!r} both wait for the signal {signal!r}; name one otherwise",
        )


def _timeout_problems(source: Source, name: str, step: WaitStep) -> Iterator[Problem]:
    wait, at = step.wait, ("steps", name, "wait", "on_timeout")
    if isinstance(wait, ForDuration):
        return
    if wait.timeout is None and wait.on_timeout != "fail":
        yield source.problem(at, f"step {name!r} has no `timeout`; add one")
    if wait.after_timeout is not None and (step.on_error != "fail" or step.stand_in is not None):
        yield source.problem(
            at,
            f"step {name!r} goes to {wait.after_timeout!r} when its time is up, and elsewhere where"
            " it fails; keep one of the two",
        )


def _key_problems(source: Source, name: str, wait: ForEvent) -> Iterator[Problem]:
    try:
        others = names(wait.key, expression=True) - {"event"} - GLOBALS
    except ExpressionError as error:
        yield source.problem(("steps", name, "wait", "key"), error.detail)
        return
    if others:
        told = ", ".join(sorted(others))
        yield source.problem(
            ("steps", name, "wait", "key"),
            f"`{wait.key}` is told from the awaited event alone, and reads {told};"
            " write that in `equals`",
        )


def texts_of(wait: Wait) -> Iterator[tuple[str, Any, bool]]:
    """(key, text, whether it is an expression) of all that is filled in from the run."""
    match wait:
        case ForApproval():
            yield "message", wait.message, False
        case ForDuration():
            yield "duration", wait.duration, False
            yield "until", wait.until, False
        case ForEvent():
            yield "equals", wait.equals, False
            if wait.where is not None:
                yield "where", wait.where, True
        case ForSignal():
            return


def outputs_of(step: WaitStep) -> frozenset[str] | None:
    """What its output has; None where anything is possible."""
    wait = step.wait
    if step.fallback is not None:
        return None  # what takes its place may be of another shape
    if isinstance(wait, ForDuration):
        return frozenset({"waited"})
    if isinstance(wait, ForEvent):
        return None
    has = _OF_AN_APPROVAL if isinstance(wait, ForApproval) else _OF_A_SIGNAL
    return has | {"timed_out"} if wait.on_timeout == "continue" else has
