"""Prompt files: head, body, partials, and the line of whatever is wrong with them."""

from __future__ import annotations

import pytest

from shared.prompting.prompt_file import read_prompt
from shared.prompting.source import Problem, SourceProblems

HEAD = "---\ndescription: d\nmodel: m\n---\n"
PARTIALS = {
    "_partials/voice.md.j2": "kind {% include '_partials/sign.md.j2' %}",
    "_partials/sign.md.j2": "bye",
    "_partials/loop.md.j2": "{% include '_partials/loop.md.j2' %}",
}


def read_problem(text: str) -> Problem:
    with pytest.raises(SourceProblems) as caught:
        read_prompt("p", text, "p.md.j2", PARTIALS)
    [problem] = caught.value.problems
    return problem


def test_a_prompt_is_head_and_body() -> None:
    prompt = read_prompt("a/b", f"{HEAD}Say {{{{ text }}}}.\n---\nmore\n", "p.md.j2", {})
    assert (prompt.name, prompt.head.model, prompt.head.description) == ("a/b", "m", "d")
    assert prompt.body == "Say {{ text }}.\n---\nmore\n"
    assert prompt.references == {"text"}


def test_all_partials_within_reach_are_part_of_the_version() -> None:
    text = HEAD.replace("model: m", "model: m\nsystem: '{% include \"_partials/voice.md.j2\" %}'")
    prompt = read_prompt("p", f"{text}x", "p.md.j2", PARTIALS)
    assert set(prompt.partials) == {"_partials/voice.md.j2", "_partials/sign.md.j2"}


def test_an_unused_partial_is_not_part_of_the_version() -> None:
    assert read_prompt("p", f"{HEAD}x", "p.md.j2", PARTIALS).partials == {}


def test_a_partial_that_includes_itself_can_be_read() -> None:
    prompt = read_prompt("p", f"{HEAD}{{% include '_partials/loop.md.j2' %}}", "f", PARTIALS)
    assert set(prompt.partials) == {"_partials/loop.md.j2"}


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("no head", 1, "no front matter; start with --- lines"),
        ("---\nmodel: m\n---", 1, "no front matter"),
        ("---\nmodel: m\n---\n", 2, "description: missing; add it"),
        ("---\n- a\n---\n", 2, "valid dictionary"),
        ("---\ndescription: d\nmodel: m\ntemprature: 1\n---\n", 4, "temprature: unknown key"),
        ("---\ndescription: d\ndescription: e\nmodel: m\n---\n", 3, "is there twice"),
        (
            "---\ndescription: d\nmodel: m\noutput:\n  properties:\n    a: {type: strin}\n---\n",
            6,
            "not a JSON Schema",
        ),
        ("---\ndescription: d\nmodel: m\ninput: {required: text}\n---\n", 4, "not a JSON Schema"),
        (f"{HEAD}one\ntwo {{{{ broken\n", 6, "template: unexpected"),
        (f"{HEAD}one\n{{% if x %}}\n", 6, "template: Unexpected end"),
        (f"{HEAD}one\n\n{{{{ x | nofilter }}}}", 7, "template: No filter named 'nofilter'"),
        (f"{HEAD}{{% include name %}}", 5, "include takes a literal name"),
        (f"{HEAD}{{% include 'x/' ~ name %}}", 5, "include takes a literal name"),
        (f"{HEAD}{{% include '../secret' %}}", 5, "'../secret', which is not there; partials: _pa"),
        (f"{HEAD}{{% import 'nothing' as n %}}", 5, "'nothing', which is not there"),
        (
            "---\ndescription: d\nmodel: m\nsystem: '{{ x'\n---\n",
            4,
            "template: unexpected",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, complaint: str) -> None:
    problem = read_problem(text)
    assert (problem.file, problem.line) == ("p.md.j2", line)
    assert complaint in problem.message


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("", "`system` is what is kept, and there is none"),
        ("system: be {{ how }}\n", "`system` reads 'how', so each run"),
        ("system: s\nparameters: {cached_content: c}\n", "`cached_content` names a cache already"),
    ],
)
def test_what_is_kept_by_the_model_is_the_same_for_all_runs(head: str, told: str) -> None:
    kept = "---\ndescription: d\nmodel: m\ncontext_cache: {ttl: 1h}\n"
    problem = read_problem(f"{kept}{head}---\nx")
    assert told in problem.message
    assert problem.line == 4
    assert read_prompt("p", f"{kept}system: s\n---\n{{{{ x }}}}", "p.md.j2", {}).head.context_cache


def test_a_prompt_that_says_nothing_of_contexts_is_the_version_that_it_was() -> None:
    prompt = read_prompt("p", f"{HEAD}x", "p.md.j2", {})
    assert prompt.version == "3cd4c4f5b12c7250"
