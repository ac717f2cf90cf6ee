"""What `flows check` says of a flow's judges, and what they become in a library."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.prompting.library import Library, read_library

FLOW = """\
flow: thing
on: {event: thing.happened}
judge:
  helpful:
    prompt: %(prompt)s
    with: %(given)s
steps:
  a: {prompt: say}
"""
HEAD = "---\ndescription: d\nmodel: gemini-2.5-flash\n%s---\n%s"
SCORE = """\
output:
  type: object
  required: [score]
  properties: {score: %s}
"""
GOOD = "{type: number, minimum: 0, maximum: 1}"


def read(
    folder: Path,
    *,
    prompt: str = "judge",
    given: str = "{text: '{{ a.text }}'}",
    score: str = SCORE % GOOD,
    body: str = "{{ text }}",
    outcome: str = "helpful",
) -> Library:
    (folder / "flows").mkdir(parents=True)
    (folder / "templates").mkdir()
    text = FLOW % {"prompt": prompt, "given": given}
    (folder / "flows" / "thing.yaml").write_text(text.replace("helpful", outcome))
    (folder / "templates" / "say.md.j2").write_text(HEAD % ("", "hi"))
    (folder / "templates" / "judge.md.j2").write_text(HEAD % (score, body))
    return read_library(folder)


def test_a_judge_becomes_a_flow_that_asks_and_tells(tmp_path):
    found = read(tmp_path)
    assert found.problems == ()
    judging = found.flows["thing-judge-helpful"]
    assert list(judging.flow.steps) == ["judge", "record"]
    assert list(judging.prompts) == ["judge"]
    assert list(found.flows["thing"].prompts) == ["say"]
    assert not judging.flow.judge


@pytest.mark.parametrize("score", ["{type: boolean}", GOOD])
def test_a_label_and_a_boolean_will_do(tmp_path, score):
    found = read(tmp_path, prompt="judge@staging", score=SCORE % score)
    assert found.problems == ()
    assert list(found.flows["thing-judge-helpful"].prompts) == ["judge@staging"]


@pytest.mark.parametrize(
    ("about", "line", "told"),
    [
        ({"prompt": "juge"}, 5, "there is no prompt 'juge'"),
        ({"score": ""}, 5, "gives no score"),
        ({"score": SCORE % "{type: string}"}, 5, "gives no score"),
        ({"score": SCORE % "{type: number}"}, 5, "minimum: 0, maximum: 1"),
        ({"score": (SCORE % GOOD).replace("[score]", "[]")}, 5, "a required 'score'"),
        ({"body": "{{ event.data.x }}{{ text }}"}, 5, "reads 'event'; a judge sees what `with`"),
        ({"given": "{text: '{{ b.text }}'}"}, 6, "'b' is undefined"),
        ({"given": "{text: '{{ a.words }}'}"}, 6, "'a' has no 'words'"),
        ({"outcome": "success"}, 4, "'success' is measured anyway"),
        ({"outcome": "x" * 60}, 4, "over 63 characters"),
        ({"outcome": "Not a name"}, 4, "should match pattern"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_line(tmp_path, about, line, told):
    found = read(tmp_path, **about)
    assert not found.flows
    [problem] = found.problems
    assert problem.line == line
    assert told in problem.message


def test_a_flow_of_the_name_that_judging_has_is_told_of(tmp_path):
    read(tmp_path)
    other = (
        "flow: thing-judge-helpful\non: call\nsteps: {a: {action: log.write, with: {message: m}}}"
    )
    (tmp_path / "flows" / "thing-judge-helpful.yaml").write_text(other)
    [problem] = read_library(tmp_path).problems
    assert "which is there already" in problem.message
