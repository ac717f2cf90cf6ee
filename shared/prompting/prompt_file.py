"""A prompt file: YAML front matter between `---` lines, then a Jinja2 body.

Decides what a prompt's version consists of: head, body and every partial it includes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import meta
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import ValidationError

from shared.domain.expressions import syntax
from shared.domain.version import FrontMatter, PromptVersion
from shared.errors import ExpressionError
from shared.prompting.checks.contexts import context_problems
from shared.prompting.checks.retrieval import Collections, retrieval_problems
from shared.prompting.source import Problem, Source, SourceProblems, read_yaml

SUFFIX = ".md.j2"
_PARTS = re.compile(r"\A---\n(?P<head>.*?\n)---\n(?P<body>.*)\Z", re.DOTALL)


def read_prompt(
    name: str,
    text: str,
    file: str,
    partials: Mapping[str, str],
    collections: Collections = None,
) -> PromptVersion:
    """The prompt in a file. Raises SourceProblems naming file and line."""
    parts = _PARTS.match(text)
    if parts is None:
        raise SourceProblems(
            [Problem(file, 1, "no front matter; start with --- lines around description and model")]
        )
    source = read_yaml(parts["head"], file, first_line=2)
    head = _head(source, collections)
    body_line = text[: parts.start("body")].count("\n") + 1
    in_system = _included(head.system or "", partials, file, source.line(("system",)))
    used = {**_included(parts["body"], partials, file, body_line), **in_system}
    problems = list(context_problems(source, head, in_system))
    if problems:
        raise SourceProblems(problems)
    return PromptVersion(name=name, head=head, body=parts["body"], partials=used)


def _head(source: Source, collections: Collections) -> FrontMatter:
    try:
        head = FrontMatter.model_validate(source.data or {})
    except ValidationError as error:
        raise SourceProblems(source.problems(error)) from error
    problems = [
        problem
        for key, schema in (("input", head.input), ("output", head.output))
        if schema is not None and (problem := schema_complaint(source, (key,), schema))
    ]
    if head.retrieve is not None:
        problems += retrieval_problems(source, ("retrieve",), head.retrieve, collections)
    if problems:
        raise SourceProblems(problems)
    return head


def schema_complaint(
    source: Source, location: tuple[str, ...], schema: Mapping[str, Any]
) -> Problem | None:
    """What is wrong with a JSON Schema in a file, if anything."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        inner = (*location, *(part for part in error.absolute_path))
        return source.problem(inner, f"not a JSON Schema: {error.message}")
    return None


def _included(text: str, partials: Mapping[str, str], file: str, line: int) -> dict[str, str]:
    """Partials that a template includes, and those they include."""
    found: dict[str, str] = {}
    todo = [text]
    while todo:
        for name in _referenced(todo.pop(), file, line):
            if name not in partials:
                there = ", ".join(sorted(partials)) or "none"
                message = f"includes {name!r}, which is not there; partials: {there}"
                raise SourceProblems([Problem(file, line, message)])
            if name not in found:
                found[name] = partials[name]
                todo.append(partials[name])
    return found


def _referenced(text: str, file: str, line: int) -> list[str]:
    try:
        template = syntax(text)
    except ExpressionError as error:
        cause = error.__cause__
        inner = (getattr(cause, "lineno", 1) or 1) - 1
        message = getattr(cause, "message", None) or str(cause)
        raise SourceProblems([Problem(file, line + inner, f"template: {message}")]) from error
    names = list(meta.find_referenced_templates(template)) if template else []
    if None in names:
        raise SourceProblems([Problem(file, line, "include takes a literal name, no expression")])
    return [name for name in names if name is not None]
