"""YAML as people expect it, with the line of everything in it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.flow import Flow
from shared.prompting.source import Problem, SourceProblems, read_yaml

TEXT = """\
# a remark
flow: f
on:
  event: t
steps:
  a:
    action: log.write
    with:
      message: m
      list:
        - one
        - x: 1
"""


def problems_of(text: str, **options: Any) -> tuple[Problem, ...]:
    with pytest.raises(SourceProblems) as caught:
        read_yaml(text, "f.yaml", **options)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("true", True),
        ("false", False),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("~", None),
        ("1.5", 1.5),
        ('"true"', "true"),
    ],
)
def test_words_stay_words(text: str, value: object) -> None:
    assert read_yaml(f"key: {text}", "f.yaml").data == {"key": value}


def test_on_is_a_key() -> None:
    assert read_yaml("on: {event: t}", "f.yaml").data == {"on": {"event": "t"}}


@pytest.mark.parametrize(
    ("location", "line"),
    [
        ((), 1),
        (("flow",), 2),
        (("steps", "a", "with", "message"), 9),
        (("steps", "a", "with", "list", 1), 12),
        (("steps", "a", "with", "list", 1, "x"), 12),
        (("steps", "a", "nowhere"), 6),
        (("nowhere", "at", "all"), 1),
    ],
)
def test_everything_has_its_line(location: tuple[str | int, ...], line: int) -> None:
    assert read_yaml(TEXT, "f.yaml").line(location) == line


def test_lines_count_on_from_where_the_text_begins() -> None:
    assert read_yaml("a: 1\nb: 2", "f.yaml", first_line=10).line(("b",)) == 11


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("a: 1\na: 2", 2, "'a' is there twice; keep one"),
        ("x:\n  b: 1\n  c: 2\n  b: 3", 4, "'b' is there twice; keep one"),
        ("- a: 1\n  a: 2", 2, "'a' is there twice"),
        ("a: [1", 1, "not valid YAML"),
        ("a: 1\n b: 2", 2, "not valid YAML"),
        ("a: 1\n---\nb: 2", 2, "not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]", 1, "not valid YAML"),
        ("a: !!int abc", 1, "not valid YAML"),
        ("a: \x01", 1, "not valid YAML"),
        ("? [a]\n: 1", 1, "not valid YAML"),
        ("a: &a {b: *a}", 1, "an alias holds itself"),
        ("a: " + "[" * 2000 + "]" * 2000, 1, "nested too deeply"),
    ],
)
def test_what_is_no_plain_yaml_is_a_problem_with_its_line(
    text: str, line: int, complaint: str
) -> None:
    [problem] = problems_of(text)
    assert (problem.file, problem.line) == ("f.yaml", line)
    assert complaint in problem.message
    assert "\n" not in problem.message


def test_a_problem_reads_as_editors_link_it() -> None:
    assert str(Problem("flows/f.yaml", 3, "wrong")) == "flows/f.yaml:3: wrong"


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("    with:", "    neds: b\n    with:"), 8, "steps.a.neds: unknown key; remove it"),
        (("flow: f", "flow: F"), 2, "flow: String should match"),
        (("  event: t", "  even: t"), 3, "on: a flow is started by exactly one of: event, sch"),
        (("  event: t", "  event: t\n  were: x"), 5, "on.were: unknown key; remove it"),
        (
            ("action: log.write", "prompt: p\n    call: c"),
            6,
            "exactly one of: prompt, agent, action, call",
        ),
        (("  a:", "  none:"), 5, "steps: step name 'none' cannot be used"),
        (("flow: f", "timeout: soon\nflow: f"), 2, "timeout: a duration is a number and a unit"),
    ],
)
def test_complaints_about_a_flow_are_in_the_words_of_its_file(
    change: tuple[str, str], line: int, message: str
) -> None:
    source = read_yaml(TEXT.replace(*change), "f.yaml")
    with pytest.raises(ValidationError) as caught:
        Flow.model_validate(source.data)
    first = source.problems(caught.value)[0]
    assert first.line == line
    assert message in first.message
