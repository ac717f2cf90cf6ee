"""What a request to the model asks: read once, in either key style, into one frozen record.

The real client mixes camelCase and snake_case in one body. Must not decide any answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from emulator.standin.contents import JsonObject, objects, text_of
from emulator.standin.contents import field as read_field
from emulator.standin.conversation import Conversation, read_conversation

PROMPT_LABEL = "segue-prompt"
GENERATE = frozenset({"generateContent", "streamGenerateContent"})
EMBED = frozenset({"predict", "embedContent", "batchEmbedContents"})
COUNT = frozenset({"countTokens"})
KEEP = frozenset({"createCachedContent"})  # by a path of its own


class MalformedRequestError(Exception):
    """The request is not one that Vertex AI would understand."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request. `text` is all text of the last user turn, tool results included.

    `prompt_tokens` are all of it, `cached_tokens` those of them that are in a cached content.
    """

    method: str
    model: str
    prompt: str
    text: str
    system: str
    schema: JsonObject | None
    mime: str
    must_call: tuple[JsonObject, ...]
    prompt_tokens: int
    body: JsonObject
    cached_tokens: int = 0
    conversation: Conversation = field(default_factory=Conversation)

    @property
    def generates(self) -> bool:
        """Whether an answer in words is asked for, as opposed to vectors or counts."""
        return self.method in GENERATE


def tokens(text: str) -> int:
    """Count tokens roughly and always the same: four characters each, at least one."""
    return max(1, (len(text) + 3) // 4)


def read(path: str, raw: bytes) -> Question:
    """Read a request; raises MalformedRequestError saying what is wrong and what to do."""
    target, colon, method = path.rpartition(":")
    model = target.rpartition("/")[2]
    if not colon or not model or method not in GENERATE | EMBED | COUNT:
        raise MalformedRequestError(_unknown_path(path))
    try:
        body = json.loads(raw)
    except ValueError as error:
        message = f"the body of POST /{path} is not JSON: {error}"
        raise MalformedRequestError(message) from error
    if not isinstance(body, dict):
        message = f"the body of POST /{path} is {type(body).__name__}, not a JSON object"
        raise MalformedRequestError(message)
    return _question(method, model, body)


def _question(method: str, model: str, body: JsonObject) -> Question:
    config = read_field(body, "generationConfig") or {}
    turns = objects(body.get("contents", []))
    system = text_of(read_field(body, "systemInstruction") or {})
    length = len(system) + sum(len(text_of(turn)) for turn in turns)
    schema = read_field(config, "responseJsonSchema") or read_field(config, "responseSchema")
    return Question(
        method=method,
        model=model,
        prompt=str((body.get("labels") or {}).get(PROMPT_LABEL, "")),
        text=_last_user_text(turns),
        system=system,
        schema=schema if isinstance(schema, dict) else None,
        mime=read_field(config, "responseMimeType") or "text/plain",
        must_call=_must_call(body),
        prompt_tokens=tokens(" " * length),
        body=body,
        conversation=read_conversation(turns),
    )


def _last_user_text(turns: list[JsonObject]) -> str:
    for turn in reversed(turns):
        if turn.get("role", "user") != "model":
            return text_of(turn)
    return ""


def _must_call(body: JsonObject) -> tuple[JsonObject, ...]:
    """Return the declared functions if the request insists on a call of one of them."""
    calling = read_field(read_field(body, "toolConfig") or {}, "functionCallingConfig") or {}
    if str(calling.get("mode", "")).upper() != "ANY":
        return ()
    declared = [
        function
        for tool in objects(body.get("tools", []))
        for function in objects(read_field(tool, "functionDeclarations") or [])
    ]
    allowed = read_field(calling, "allowedFunctionNames")
    return tuple(each for each in declared if not allowed or each.get("name") in allowed)


def _unknown_path(path: str) -> str:
    if not path:
        return "POST / names no model: give the client its project and location explicitly"
    known = ", ".join(sorted(GENERATE | EMBED | COUNT))
    return f"POST /{path} is not answered here; paths end in models/MODEL:METHOD, METHOD in {known}"
