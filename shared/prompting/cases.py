"""Prompt cases (`prompts/cases/<prompt>.yaml`): what a prompt is given, and what is to come of it.

Decides what may be written there. Cases are for people and for CI; no stage reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from shared.domain.expressions import syntax
from shared.domain.model import Declared, Json
from shared.domain.version import PromptVersion
from shared.errors import ExpressionError
from shared.prompting.checks.prompts import no_such_prompt
from shared.prompting.source import Location, Problem, Source, SourceProblems, read_yaml

FOLDER = "cases"


class TextCheck(Declared):
    """What a text has to be."""

    equals: str | None = Field(None, description="The whole text, but for space around it.")
    contains: list[str] = Field(default_factory=list, description="All of these are in it.")
    not_contains: list[str] = Field(default_factory=list, description="None of these is in it.")


class Judge(Declared):
    """Another prompt that rates the answer: it gets `asked` and `answer`, and gives a `score`."""

    prompt: str = Field(description="Name of a prompt whose output has a number `score`.")
    at_least: float = Field(description="The lowest score that passes.")


class AnswerCheck(TextCheck):
    """What the model's answer has to be. Looked at with --live alone."""

    schema_: bool = Field(
        default=True, alias="schema", description="Whether it has to fit the prompt's `output`."
    )
    where: list[str] = Field(
        default_factory=list,
        description="Expressions over `answer`, e.g. answer.category == 'billing'.",
    )
    judge: Judge | None = None


class Case(Declared):
    """One use of a prompt."""

    name: str = Field(description="What it is a case of, in a few words.")
    given: dict[str, Json] = Field(
        default_factory=dict,
        description="Variables of the run: `event`, and outputs of steps by name.",
    )
    arguments: dict[str, Json] = Field(
        default_factory=dict, alias="with", description="What the step's `with` gives."
    )
    rendered: TextCheck | None = Field(None, description="What the model is asked.")
    system: TextCheck | None = Field(None, description="The system instruction it is given.")
    refused: str | None = Field(
        None, description="Part of the error, for what cannot be rendered at all."
    )
    answer: AnswerCheck | None = None


class CaseFile(Declared):
    """The cases of one prompt."""

    prompt: str = Field(description="Name of the prompt, e.g. support/classify.")
    cases: list[Case] = Field(min_length=1)


@dataclass(frozen=True)
class Cases:
    """Cases by prompt, and what is wrong with files that were left out."""

    of: Mapping[str, list[Case]]
    problems: tuple[Problem, ...]


def read_cases(root: Path, prompts: Mapping[str, PromptVersion]) -> Cases:
    """Reads `root/cases`. Never raises for what a person wrote there."""
    found: dict[str, list[Case]] = {}
    problems: list[Problem] = []
    for path in sorted((root / FOLDER).rglob("*.yaml")):
        name = path.relative_to(root / FOLDER).with_suffix("").as_posix()
        shown = (Path(root.name) / path.relative_to(root)).as_posix()
        try:
            source = read_yaml(path.read_text("utf-8"), shown)
            found[name] = _file(source, name, prompts).cases
        except SourceProblems as error:
            problems.extend(error.problems)
        except UnicodeDecodeError as error:
            problems.append(Problem(shown, 1, f"not UTF-8: {error.reason}"))
    return Cases(found, tuple(problems))


def _file(source: Source, name: str, prompts: Mapping[str, PromptVersion]) -> CaseFile:
    try:
        file = CaseFile.model_validate(source.data)
    except ValidationError as error:
        raise SourceProblems(source.problems(error)) from error
    problems = list(_problems(source, file, name, prompts))
    if problems:
        raise SourceProblems(problems)
    return file


def _problems(
    source: Source, file: CaseFile, name: str, prompts: Mapping[str, PromptVersion]
) -> Iterator[Problem]:
    if file.prompt != name:
        yield source.problem(("prompt",), f"the prompt is {file.prompt!r}; name the file after it")
    elif name not in prompts:
        yield source.problem(("prompt",), no_such_prompt(name, prompts))
    names = [case.name for case in file.cases]
    for index, case in enumerate(file.cases):
        at = ("cases", index)
        if case.name in names[:index]:
            yield source.problem((*at, "name"), f"two cases are called {case.name!r}")
        if case.answer is not None:
            yield from _of_answer(source, (*at, "answer"), case.answer, prompts)


def _of_answer(
    source: Source, at: Location, check: AnswerCheck, prompts: Mapping[str, PromptVersion]
) -> Iterator[Problem]:
    if check.judge is not None:
        judge = prompts.get(check.judge.prompt)
        told = no_such_prompt(check.judge.prompt, prompts)
        if judge is not None:
            told = f"prompt {judge.name!r} gives no `score`; add one to its `output`"
        if judge is None or not _may_score(judge):
            yield source.problem((*at, "judge", "prompt"), told)
    for number, expression in enumerate(check.where):
        try:
            syntax(expression, expression=True)
        except ExpressionError as error:
            yield source.problem((*at, "where", number), error.detail)


def _may_score(judge: PromptVersion) -> bool:
    """Whether an answer of it can have a `score`, as far as its schema tells."""
    output = judge.head.output
    properties = output.get("properties", {"score": {}}) if output is not None else {}
    return isinstance(properties, dict) and "score" in properties
