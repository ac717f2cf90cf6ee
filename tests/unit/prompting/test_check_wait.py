"""Whether waits make sense: every complaint with its line and what to do."""

from __future__ import annotations

import pytest

from shared.prompting.library import read_flow
from shared.prompting.source import SourceProblems

FLOW = """\
flow: f
on: {event: t}
steps:
  a: {call: crm.find}
  w:
    needs: a
    wait: WAIT
  other: {call: crm.find}
outputs: {o: "{{ w.OUT }}"}
"""


def problems_of(wait: str, more: str = "", out: str = "at") -> list[str]:
    text = FLOW.replace("WAIT", f"{wait}\n{more}".rstrip()).replace("OUT", out)
    try:
        read_flow(text, "flows/f.yaml", {}, frozenset({"crm.find"}))
    except SourceProblems as error:
        return [f"{problem.line}: {problem.message}" for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("wait", "out"),
    [
        ("{for: approval, approvers: [ada], message: 'ok, {{ a }}?', timeout: 1h}", "approved"),
        ("{for: signal, name: 'any name at all', schema: {type: object}}", "data"),
        ("{for: signal, timeout: 1h, on_timeout: continue}", "timed_out"),
        ("{for: event, type: x.y, key: event.data.id, equals: '{{ a.id }}'}", "anything"),
        ("{for: event, type: x, key: event.id, equals: 1, where: event.data.n > a}", "data"),
        ("{for: duration, duration: 10m}", "waited"),
        ("{for: duration, duration: '{{ a }}m'}", "waited"),
        ("{for: duration, until: '2026-01-31T12:00:00Z'}", "waited"),
    ],
)
def test_waits_that_make_sense(wait: str, out: str) -> None:
    assert problems_of(wait, out=out) == []


@pytest.mark.parametrize(
    ("wait", "out", "told"),
    [
        ("{for: godot}", "at", "7: steps.w.wait: a wait is `for` one of: approval, signal"),
        ("{timeout: 1h}", "at", "a wait is `for` one of"),
        ("{for: signal, approvers: [a]}", "at", "steps.w.wait.approvers: unknown key"),
        ("{for: event, type: 'x.*', key: event.id, equals: 1}", "id", "steps.w.wait.type"),
        ("{for: event, type: x, key: event.id}", "id", "steps.w.wait.equals: missing"),
        ("{for: event, type: x, key: a.id, equals: 1}", "id", "told from the awaited event alone"),
        ("{for: event, type: x, key: 'event.', equals: 1}", "id", "is not valid"),
        ("{for: event, type: x, key: event.id, equals: '{{ other }}'}", "id", "has not finished"),
        ("{for: event, type: x, key: event.id, equals: 1, where: b > 1}", "id", "'b' is undefined"),
        ("{for: duration}", "waited", "exactly one of: duration, until"),
        ("{for: duration, duration: soon}", "waited", "a duration is a number and a unit"),
        ("{for: duration, duration: 900d}", "waited", "not between 0s and 366d"),
        ("{for: duration, until: tomorrow}", "waited", "no time like 2026"),
        ("{for: duration, until: '2026-01-31T12:00:00'}", "waited", "names no time zone"),
        ("{for: approval, message: '{{ b }}'}", "at", "'b' is undefined"),
        ("{for: approval}", "data", "'w' has no 'data'; it has approved"),
        ("{for: approval, on_timeout: continue}", "at", "step 'w' has no `timeout`; add one"),
        ("{for: approval, timeout: 1h, on_timeout: {step: c}}", "at", "goes to 'c', which is not"),
        ("{for: approval, timeout: 1h, on_timeout: later}", "at", "this is one of: fail, continue"),
        ("{for: signal, schema: {type: nothing}}", "at", "is not valid under any"),
    ],
)
def test_waits_that_do_not(wait: str, out: str, told: str) -> None:
    found = problems_of(wait, out=out)
    assert any(told in one for one in found), found


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("    timeout: 1h", "8: step 'w' waits for something; write `timeout` inside of `wait`"),
        ("    retry: {}", "it is not tried again"),
        ("    foreach: '[1]'", "it waits once"),
        ("    with: {a: 1}", "an approval has a `message`"),
        ("    fallback: {model: m}", "asks no model"),
    ],
)
def test_what_other_steps_say_and_a_wait_does_not(more: str, told: str) -> None:
    found = problems_of("{for: approval}", more, out="at")
    assert any(told in one for one in found), found


@pytest.mark.parametrize("more", ["on_error: continue", "fallback: {step: other}"])
def test_a_timeout_goes_to_one_place(more: str) -> None:
    wait = "{for: approval, timeout: 1h, on_timeout: {step: other}}"
    assert any("keep one of the two" in one for one in problems_of(wait, f"    {more}"))


def test_a_signal_is_for_one_step() -> None:
    wait = "{for: signal, name: go}\n  v: {wait: {for: signal, name: go}}"
    [told] = problems_of(wait, out="by")
    assert "both wait for the signal 'go'; name one otherwise" in told
