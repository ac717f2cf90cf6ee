"""What a simulated model says: as the stand-in would, by its rules, else from the response schema.

The answer follows from what was first asked and what tools have returned since: asked twice, or
asked to repair, it is the same.
"""

from __future__ import annotations

import json
from functools import cache

from emulator.standin.app import RULES_FILE
from emulator.standin.conversation import read_conversation
from emulator.standin.derive import UnderivableSchemaError, derive
from emulator.standin.phrases import spoken
from emulator.standin.question import PROMPT_LABEL, Question
from emulator.standin.rule_file import load
from emulator.standin.rules import Rules
from emulator.standin.wire import Reply
from shared.domain.agents.conversation import Said, ToolCall
from shared.domain.envelope import ModelRequest
from shared.domain.records import Tokens
from shared.errors import ModelRequestError
from shared.ports import ModelReply


def answer(request: ModelRequest) -> str | ModelReply:
    """The text, or calls. Raises ModelRequestError where the schema has no finite instance."""
    question = _question(request)
    picked = _rules().unused().pick(question)
    if picked is not None and picked.reply is not None and picked.reply.calls:
        return _calling(picked.reply, request.model)
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


def _calling(reply: Reply, model: str) -> ModelReply:
    calls = tuple(ToolCall(name=one.name, args=one.args, id=one.id) for one in reply.calls)
    said = Said(role="model", parts=tuple(reply.parts()))
    return ModelReply("", Tokens(input=1, output=len(calls)), model, "stop", calls, said)


def _of_calls(said: Said) -> bool:
    """Whether it is about calls of tools; an answer that is to be repaired is as if not given."""
    return any("functionCall" in part or "functionResponse" in part for part in said.parts)


def _question(request: ModelRequest) -> Question:
    texts = [text for role, text in request.messages if role == "user"]
    asked = [{"role": "user", "parts": [{"text": text}]} for text in texts[:1]]
    since = [
        {"role": said.role, "parts": list(said.parts)} for said in request.said if _of_calls(said)
    ]
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
        conversation=read_conversation([*asked, *since]),
    )
