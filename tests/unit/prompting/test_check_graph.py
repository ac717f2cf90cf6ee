"""Whether a flow's graph makes sense: every complaint with its line and what to do."""

from __future__ import annotations

import pytest

from shared.domain.version import PromptVersion
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


POLICIES = """\
flow: f
on: {event: t}
steps:
  a:
    prompt: one
    retry: {attempts: 3, on: ModelBusy}
    fallback: {prompt: two}
  b:
    call: x.y
    fallback: {step: c}
  c:
    call: x.y
  d:
    needs: b
    call: x.y
    fallback: {value: "{{ b }}"}
  e:
    needs: a
    call: x.y
    with: {value: "{{ a.anything }}"}
"""
PROMPTS = {
    name: PromptVersion.model_validate(
        {"name": name, "head": {"description": "d", "model": "m"}, "body": body}
    )
    for name, body in (("one", "hello"), ("two", "hello"), ("more", "hello {{ who }}"))
}


@pytest.mark.parametrize(
    ("before", "after", "line", "message"),
    [
        ("{prompt: two}", "{prompt: too}", 7, "there is no prompt 'too'; create templates/too.md"),
        ("{prompt: two}", "{prompt: more}", 7, "prompt 'more' reads 'who', which step 'a' does"),
        ("{step: c}", "{step: z}", 10, "step 'b' goes to 'z', which is not a step"),
        ("{step: c}", "{step: b}", 8, "'b' is part of a cycle"),
        ("{step: c}", "{model: m}", 10, "asks no model; its fallback is a `value` or a `step`"),
        ("{step: c}", "{step: c, value: 1}", 10, "a fallback is exactly one of: value, prompt"),
        ("{step: c}", "{step: c}\n    on_error: {goto: d}", 10, "keep one of the two"),
        ("ModelBusy", "ModelBsy", 6, "ModelBsy cannot be retried; there are ActionFailed"),
        ("attempts: 3", "attempts: 30", 6, "less than or equal to 20"),
        ("{{ b }}", "{{ e }}", 16, "'e' has not finished here; add it to `needs`"),
    ],
)
def test_a_policy_that_makes_no_sense_is_told(
    before: str, after: str, line: int, message: str
) -> None:
    assert _told(POLICIES) == []
    assert POLICIES.count(before) == 1
    found = _told(POLICIES.replace(before, after))
    assert any(at == line and message in told for at, told in found), found


def _told(text: str) -> list[tuple[int, str]]:
    try:
        read_flow(text, "flows/f.yaml", PROMPTS)
    except SourceProblems as error:
        return [(problem.line, problem.message) for problem in error.problems]
    return []
