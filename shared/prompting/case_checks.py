"""Whether a prompt does what one of its cases says: as rendered, and as a model answers it.

A model's answer is looked at as it came; a run would have it repaired once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.envelope import ModelRequest
from shared.domain.expressions import holds
from shared.domain.version import PromptVersion
from shared.errors import ExpressionError, PromptInputInvalidError, SegueError, TemplateError
from shared.ports import Model
from shared.prompting.cases import AnswerCheck, Case, Judge, TextCheck
from shared.prompting.render import render, schema_problem

_SECONDS = 120.0  # for one answer
_TOLD = 200  # characters of a text


def rendered(prompt: PromptVersion, case: Case) -> tuple[ModelRequest | None, list[str]]:
    """The request, and what is not as the case says. No request where the case is of an error."""
    try:
        request = render(prompt, case.given, case.arguments, {"segue-prompt": prompt.name})
    except (TemplateError, PromptInputInvalidError) as error:
        is_meant = case.refused is not None and case.refused in str(error)
        return None, [] if is_meant else [f"cannot be rendered: {error.detail}"]
    if case.refused is not None:
        return None, [f"is rendered, and should be refused with {case.refused!r}"]
    problems = [
        *_texts("rendered", request.messages[0][1], case.rendered),
        *_texts("system", request.system or "", case.system),
    ]
    return request, problems


async def answered(
    request: ModelRequest, case: Case, model: Model, prompts: Mapping[str, PromptVersion]
) -> list[str]:
    """What is wrong with the model's answer, where the case says what that has to be."""
    if case.answer is None:
        return []
    try:
        reply = await model.generate(request, seconds=_SECONDS)
    except SegueError as error:
        return [f"no answer: {error.code}: {error.detail}"]
    problems = list(_texts("answer", reply.text, case.answer))
    output, broken = _output(reply.text, request.output_schema)
    if broken is not None:
        return [*problems, broken] if case.answer.schema_ else problems
    problems += _expressions(case.answer, output)
    if case.answer.judge is not None:
        asked = (request.messages[0][1], reply.text)
        problems += await _judged(case.answer.judge, asked, model, prompts)
    return problems


def _texts(what: str, text: str, check: TextCheck | None) -> Iterator[str]:
    if check is None:
        return
    if check.equals is not None and text.strip() != check.equals.strip():
        yield f"{what} is another text: {_shortened(text)}"
    for part in check.contains:
        if part not in text:
            yield f"{what} lacks {part!r}: {_shortened(text)}"
    for part in check.not_contains:
        if part in text:
            yield f"{what} has {part!r} in it"


def _output(text: str, schema: Mapping[str, Any] | None) -> tuple[Any, str | None]:
    """The step's output, or why there would be none."""
    if schema is None:
        return {"text": text}, None
    try:
        value = json.loads(text)
    except ValueError:
        return None, f"answer is not JSON: {_shortened(text)}"
    problem = schema_problem(schema, value)
    return value, f"answer breaks the schema {problem}" if problem else None


def _expressions(check: AnswerCheck, output: Any) -> Iterator[str]:
    for expression in check.where:
        try:
            if not holds(expression, {"answer": output}):
                yield f"answer is not such that {expression}: {_shortened(json.dumps(output))}"
        except ExpressionError as error:
            yield f"answer: {error.detail}"


async def _judged(
    judge: Judge, asked: tuple[str, str], model: Model, prompts: Mapping[str, PromptVersion]
) -> list[str]:
    question, answer = asked
    given = {"asked": question, "answer": answer}
    labels = {"segue-prompt": judge.prompt}
    try:
        request = render(prompts[judge.prompt], {}, given, labels)
        reply = await model.generate(request, seconds=_SECONDS)
    except SegueError as error:
        return [f"judge {judge.prompt}: {error.code}: {error.detail}"]
    output, _ = _output(reply.text, request.output_schema)
    score = output.get("score") if isinstance(output, dict) else None
    if not isinstance(score, int | float):  # a boolean is one: 0 or 1
        return [f"judge {judge.prompt} gave no score: {_shortened(reply.text)}"]
    if score < judge.at_least:
        return [f"judge {judge.prompt} gave {score}, less than {judge.at_least}"]
    return []


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _TOLD else f"{line[:_TOLD]}…")
