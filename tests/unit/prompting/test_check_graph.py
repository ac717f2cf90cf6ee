"""Whether a flow's graph makes sense: every complaint with its line and what to do."""

from __future__ import annotations

import pytest

from shared.prompting.library import read_flow
from shared.prompting.source import SourceProblems

SOUND = """\
flow: f
on: {event: t}
steps:
  a:
    call: x.y
    on_error: {goto: sorry}
  b:
    call: x.y
    on_error: continue
  first:
    needs: [a, b]
    join: any
    call: x.y
  sorry:
    call: x.y
  stop:
    needs: [first, sorry]
    join: {n: 2}
    finish: true
    call: x.y
"""


def problems_of(text: str) -> list[tuple[int, str]]:
    try:
        read_flow(text, "flows/f.yaml", {})
    except SourceProblems as error:
        return [(problem.line, problem.message) for problem in error.problems]
    return []


def test_a_sound_graph_has_no_problems() -> None:
    assert problems_of(SOUND) == []


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("{goto: sorry}", "{goto: sory}", 6, "goes to 'sory', which is not a step; did you mean"),
        ("{goto: sorry}", "{goto: a}", 4, "'a' is part of a cycle; break it by removing a need or"),
        ("on_error: continue", "on_error: {goto: a}\n    needs: stop", 4, "is part of a cycle"),
        ("{goto: sorry}", "retry", 6, "steps.a.on_error: this is one of: fail, continue, {goto"),
        ("{goto: sorry}", "{got: sorry}", 6, "steps.a.on_error.goto: missing; add it"),
        ("join: any", "join: some", 12, "steps.first.join: this is one of: all, any, {n: …}"),
        ("{n: 2}", "{n: 3}", 18, "waits for 3 successes and has 2 branches; lower n or add to"),
        ("{n: 2}", "{n: 0}", 18, "steps.stop.join.n: Input should be greater than or equal to 1"),
        ("{n: 2}", "{n: 2, of: 3}", 18, "steps.stop.join.of: unknown key; remove it"),
        (
            "join: any",
            "join: any\n    finish: true",
            13,
            "so stop would never run; remove `finish`",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_a_remedy(
    before: str, after: str, line: int, message: str
) -> None:
    assert SOUND.count(before) == 1
    found = problems_of(SOUND.replace(before, after))
    assert found[0][0] == line
    assert message in found[0][1]


def test_a_step_sees_what_lies_before_the_failure_it_is_started_by() -> None:
    behind = SOUND.replace("  sorry:\n", '  sorry:\n    with: {value: "{{ a | default(0) }}"}\n')
    assert problems_of(behind) == []
    [(line, message)] = problems_of(behind.replace("{{ a |", "{{ first |"))
    assert (line, message) == (15, "'first' has not finished here; add it to `needs`")
