"""What a simulated model says: as the stand-in would, by its rules, else from the response schema.

The answer follows from the first turn alone: asked twice, or asked to repair, it is the same.
"""

from __future__ import annotations

import json
from functools import cache

from emulator.standin.app import RULES_FILE
from emulator.standin.derive import UnderivableSchemaError, derive
from emulator.standin.phrases import spoken
from emulator.standin.question import PROMPT_LABEL, Question
from emulator.standin.rule_file import load
from emulator.standin.rules import Rules
from shared.domain.envelope import ModelRequest
from shared.errors import ModelRequestError


def answer(request: ModelRequest) -> str:
    """The text. Raises ModelRequestError where the schema has no finite instance."""
    question = _question(request)
    picked = _rules().unused().pick(question)
    if picked is not None and picked.reply is not None and picked.reply.text:
        return picked.reply.text
    if request.output_schema is None:
        return spoken(question.text)
    try:
        return json.dumps(derive(dict(request.output_schema), question.text), ensure_ascii=False)
    except UnderivableSchemaError as error:
        raise ModelRequestError(f"no answer can be made up: {error}") from error


@cache
def _rules() -> Rules:
    return load(RULES_FILE)


def _question(request: ModelRequest) -> Question:
    texts = [text for role, text in request.messages if role == "user"]
    return Question(
        method="generateContent",
        model=request.model,
        prompt=request.labels.get(PROMPT_LABEL, ""),
        text=texts[0] if texts else "",
        system=request.system or "",
        schema=None,
        mime="text/plain",
        must_call=(),
        prompt_tokens=1,
        body={},
    )
