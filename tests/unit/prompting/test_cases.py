"""Case files: what may be written there, and when a case holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.domain.version import FrontMatter, PromptVersion
from shared.errors import ModelRefusedError
from shared.prompting.case_checks import answered, rendered
from shared.prompting.cases import Case, read_cases
from shared.testing.memory import Answer, ScriptedModel

SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


def prompt(name: str = "sort", body: str = "Sort {{ text }}.", **head: object) -> PromptVersion:
    front = FrontMatter.model_validate({"description": "d", "model": "m", **head})
    return PromptVersion(name=name, head=front, body=body)


SORT = prompt(output=SCHEMA, input={"required": ["text"]}, system="Be {{ event.data.mood }}.")
JUDGE = prompt("judge", "{{ asked }}: {{ answer }}", output={"type": "object"})
GIVEN = {"given": {"event": {"data": {"mood": "kind"}}}, "with": {"text": "this"}}


def case(**about: object) -> Case:
    return Case.model_validate({"name": "c", **GIVEN, **about})


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        ({"rendered": {"equals": "Sort this.\n"}}, None),
        ({"rendered": {"equals": "Sort that."}}, "rendered is another text: 'Sort this.'"),
        ({"rendered": {"contains": ["this", "that"]}}, "rendered lacks 'that': 'Sort this.'"),
        ({"rendered": {"not_contains": ["this"]}}, "rendered has 'this' in it"),
        ({"system": {"contains": ["kind"]}}, None),
        ({"system": {"contains": ["cross"]}}, "system lacks 'cross': 'Be kind.'"),
        ({"with": {}, "refused": 'must have "text"'}, None),
        ({"with": {}}, 'cannot be rendered: prompt sort: `with` at $: must have "text"'),
        ({"given": {}, "refused": "'event' is undefined"}, None),
        ({"refused": "anything"}, "is rendered, and should be refused with 'anything'"),
    ],
)
def test_what_is_rendered_is_compared(about: dict[str, object], problem: str | None) -> None:
    assert rendered(SORT, case(**about))[1] == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("said", "check", "problem"),
    [
        ({"n": 1}, {}, None),
        ("no", {}, "answer is not JSON: 'no'"),
        ({"n": "one"}, {}, "answer breaks the schema at $.n: must be of type integer"),
        ({"n": "one"}, {"schema": False, "contains": ["one"]}, None),
        ({"n": 1}, {"contains": ["2"]}, "answer lacks '2': '{\"n\": 1}'"),
        ({"n": 1}, {"where": ["answer.n == 1"]}, None),
        ({"n": 1}, {"where": ["answer.n > 1"]}, "answer is not such that answer.n > 1"),
        ({"n": 1}, {"where": ["answer.m > 1"]}, "answer: `answer.m > 1` failed"),
        (ModelRefusedError("unsafe"), {}, "no answer: ModelRefused: unsafe"),
    ],
)
async def test_what_the_model_answers_is_compared(
    said: Answer, check: dict[str, object], problem: str | None
) -> None:
    one = case(answer=check)
    request, _ = rendered(SORT, one)
    assert request is not None
    problems = await answered(request, one, ScriptedModel({"sort": said}), {})
    assert [told[: len(problem or "")] for told in problems] == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"score": 0.8}, None),
        ({"score": 0.7}, "judge judge gave 0.7, less than 0.8"),
        ({"score": True}, None),
        ({"score": "1"}, 'judge judge gave no score: \'{"score": "1"}\''),
        ("hm", "judge judge gave no score: 'hm'"),
        (ModelRefusedError("unsafe"), "judge judge: ModelRefused: unsafe"),
    ],
)
async def test_a_judge_rates_the_answer(said: Answer, problem: str | None) -> None:
    one = case(answer={"judge": {"prompt": "judge", "at_least": 0.8}})
    request, _ = rendered(SORT, one)
    assert request is not None
    model = ScriptedModel({"sort": {"n": 1}, "judge": said})
    assert await answered(request, one, model, {"judge": JUDGE}) == ([problem] if problem else [])
    assert model.calls[1].messages == (("user", 'Sort this.: {"n": 1}'),)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("prompt: sort\ncases: []\n", 2, "cases: List should have at least 1 item"),
        ("prompt: sort\ncases:\n- name: a\n  rendred: {}\n", 4, "unknown key"),
        ("prompt: sort\ncases:\n- name: a\n  rendered: {has: [x]}\n", 4, "unknown key"),
        ("prompt: sort\ncases:\n- name: a\n- name: a\n", 4, "two cases are called 'a'"),
        ("prompt: other\ncases:\n- name: a\n", 1, "name the file after it"),
        ("prompt: sort\ncases:\n- name: a\n  answer: {where: ['1 +']}\n", 4, "is not valid"),
        (
            "prompt: sort\ncases:\n- name: a\n  answer:\n    judge: {prompt: no, at_least: 1}\n",
            5,
            "there is no prompt 'no'",
        ),
        (
            "prompt: sort\ncases:\n- name: a\n  answer:\n    judge: {prompt: sort, at_least: 1}\n",
            5,
            "prompt 'sort' gives no `score`",
        ),
    ],
)
def test_a_mistake_is_named_with_file_and_line(
    tmp_path: Path, text: str, line: int, told: str
) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "sort.yaml").write_text(text, "utf-8")
    found = read_cases(tmp_path, {"sort": SORT})
    assert found.of == {}
    assert [problem.line for problem in found.problems] == [line]
    assert told in found.problems[0].message
    assert found.problems[0].file == f"{tmp_path.name}/cases/sort.yaml"


def test_cases_of_a_prompt_that_is_gone_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "cases" / "a").mkdir(parents=True)
    (tmp_path / "cases" / "a" / "sort.yaml").write_text("prompt: a/sort\ncases: [{name: c}]\n")
    [problem] = read_cases(tmp_path, {"sort": SORT}).problems
    assert "there is no prompt 'a/sort'" in problem.message
